import type { PointId } from '@embedmill/jobs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PointOrder } from './point-order.ts';

test('pages of any size, one after the other, are all ids in order', () => {
  const ids = fc.uniqueArray(fc.uuid().map((id) => id as PointId));
  fc.assert(
    fc.property(ids, fc.integer({ min: 1, max: 9 }), (given, size) => {
      const order = new PointOrder([...given]);
      const seen: PointId[] = [];
      for (let page = order.after(undefined, size); page.length > 0; page = order.after(seen.at(-1), size)) {
        seen.push(...page);
      }
      expect(seen).toEqual(given.toSorted());
    }),
  );
});

test('after a missing id comes the next existing one', () => {
  const order = new PointOrder(['b', 'd'] as PointId[]);
  expect(order.after('a' as PointId, 9)).toEqual(['b', 'd']);
  expect(order.after('c' as PointId, 9)).toEqual(['d']);
  expect(order.after('e' as PointId, 9)).toEqual([]);
});

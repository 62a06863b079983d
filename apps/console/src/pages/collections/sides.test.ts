import { expect, test } from 'vitest';
import type { Hit } from '../../server/shapes.ts';
import { compared } from './sides.ts';

const hit = (id: string, tenant?: string): Hit => ({
  id,
  ...(tenant !== undefined && { tenant }),
  score: 1,
  text: id,
  title: null,
  metadata: {},
  chunk: { index: 0, count: 1, start: 0, end: 1 },
});
const places = (side: readonly { hit: Hit; there: number | undefined }[]) =>
  side.map(({ hit: { id }, there }) => [id, there]);

test('each document of a side has its rank on the other side', () => {
  const { sides, shared, most } = compared([hit('a'), hit('b'), hit('c')], [hit('c'), hit('a')]);
  expect(places(sides[0])).toEqual([
    ['a', 2],
    ['b', undefined],
    ['c', 1],
  ]);
  expect(places(sides[1])).toEqual([
    ['c', 3],
    ['a', 1],
  ]);
  expect([shared, most]).toEqual([2, 3]);
});

test('documents of two tenants with the same id are different documents', () => {
  const { sides, shared } = compared([hit('a', 'acme')], [hit('a', 'umbrella'), hit('a', 'acme')]);
  expect(places(sides[0])).toEqual([['a', 2]]);
  expect(places(sides[1])).toEqual([
    ['a', undefined],
    ['a', 1],
  ]);
  expect(shared).toBe(1);
});

test('sides without hits share nothing', () => {
  expect(compared([], [])).toEqual({ sides: [[], []], shared: 0, most: 0 });
});

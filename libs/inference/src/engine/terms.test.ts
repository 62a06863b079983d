import fc from 'fast-check';
import { expect, it } from 'vitest';
import { heaviestTerms, saturate } from './terms.ts';

it('keeps each row’s terms of a weight above 0, their ids ascending', () => {
  const weights = Float32Array.of(0, 2, -1, 3, 0, 0, 0, 0, 1, 1, 0, 0);
  expect(heaviestTerms(weights, 4, 10)).toEqual({
    lengths: Int32Array.of(2, 0, 2),
    indices: Uint32Array.of(1, 3, 0, 1),
    values: Float32Array.of(2, 3, 1, 1),
  });
});

it('keeps the heaviest where there are too many, of equal ones the lower ids', () => {
  const weight = fc.constantFrom(0, 0, 0.5, 1, 2, 3).map(Math.fround);
  const rows = fc.array(fc.array(weight, { minLength: 8, maxLength: 8 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 8 }), (given, most) => {
      const { lengths, indices, values } = heaviestTerms(Float32Array.from(given.flat()), 8, most);
      let at = 0;
      for (const [n, row] of given.entries()) {
        const kept = row
          .map((value, term) => ({ value, term }))
          .filter(({ value }) => value > 0)
          .sort((a, b) => b.value - a.value || a.term - b.term)
          .slice(0, most)
          .sort((a, b) => a.term - b.term);
        const end = at + (lengths[n] ?? 0);
        expect([...indices.slice(at, end)]).toEqual(kept.map(({ term }) => term));
        expect([...values.slice(at, end)]).toEqual(kept.map(({ value }) => value));
        at = end;
      }
      expect(at).toBe(indices.length);
    }),
  );
});

it('weighs a logit z as log(1 + z), and none that is negative', () => {
  const values = Float32Array.of(0, -3, Math.E - 1);
  saturate({ values });
  expect([...values]).toEqual([0, 0, 1]);
});

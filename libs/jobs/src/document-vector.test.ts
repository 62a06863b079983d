import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unitVector, vectorNumbers } from './document-vector.ts';

const numbers = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 32 });

describe('vectorNumbers', () => {
  it('takes numbers, numbers as texts, and a list in a cell', () => {
    fc.assert(
      fc.property(numbers, (list) => {
        const plain = JSON.parse(JSON.stringify(list)) as number[];
        expect(vectorNumbers(plain)).toEqual(plain);
        expect(vectorNumbers(plain.map(String))).toEqual(plain);
        expect(vectorNumbers(` ${JSON.stringify(plain)}`)).toEqual(plain);
      }),
    );
  });

  it.each([
    [[]],
    [[1, 'x']],
    [[null]],
    [[1, Infinity]],
    [[NaN]],
    ['1,2'],
    ['[1,'],
    [{ 0: 1 }],
    [[[1]]],
    [['']],
  ])('%j is none', (given) => expect(vectorNumbers(given)).toBeUndefined());
});

describe('unitVector', () => {
  it('has length 1 and the direction of the numbers', () => {
    fc.assert(
      fc.property(
        numbers.filter((list) => list.some((one) => Math.abs(one) > 1e-6)),
        (list) => {
          const unit = unitVector(list, list.length) as Float32Array;
          expect(Math.hypot(...unit)).toBeCloseTo(1, 5);
          const norm = Math.hypot(...list);
          for (const [n, one] of unit.entries()) expect(one).toBeCloseTo((list[n] ?? 0) / norm, 5);
        },
      ),
    );
  });

  it('leaves the bits of what is normalised already', () => {
    const unit = unitVector([1, 2, 3, 4], 4) as Float32Array;
    expect(unitVector(Array.from(unit), 4)).toEqual(unit);
  });

  it('says what is wrong', () => {
    expect(unitVector([1, 2], 3)).toMatchObject({ fault: expect.stringContaining('2 numbers') });
    expect(unitVector([0, 0, 0], 3)).toMatchObject({ fault: expect.stringContaining('no direction') });
    expect(unitVector([1e200, 1e200, 1], 3)).toMatchObject({ fault: expect.stringContaining('too large') });
  });
});

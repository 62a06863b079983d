import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shortestFloats } from './float32.ts';

const one = (value: number): number => shortestFloats(Float32Array.of(value))[0] ?? NaN;

test('numbers are printed in the shortest form that is the same float32', () => {
  // As NumPy prints them.
  for (const text of [
    '0.1',
    '-0.10726237',
    '0.3333333',
    '1',
    '0',
    '16777216',
    '0.00001',
    '1.1754944e-38',
    '3.4028235e+38',
    '1e-45',
    '0.5',
    '-0.0078125',
    '123.456',
  ])
    expect(String(one(Number(text)))).toBe(text);
});

test('all of them are the same float32 when they are read again, and have nine digits at most', () => {
  const anyFloat = fc.float({ noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(fc.array(anyFloat, { maxLength: 50 }), (values) => {
      const vector = Float32Array.from(values);
      const printed = JSON.stringify(shortestFloats(vector));
      expect(Float32Array.from(JSON.parse(printed) as number[])).toEqual(vector.map((value) => value + 0));
      for (const number of JSON.parse(printed) as number[])
        expect(number.toExponential().replace(/e.*|[-.]/g, '').length).toBeLessThanOrEqual(9);
    }),
  );
});

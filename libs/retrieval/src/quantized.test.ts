import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quantized } from './quantized.ts';

test('bits are signs, the first the highest of its byte', () => {
  const vector = Float32Array.of(0.1, -0.1, 0, 1, -1, -1, -1, 0.5, 0.2);
  expect(quantized(vector, 'ubinary')).toEqual([0b10010001, 0b10000000]);
  expect(quantized(vector, 'binary')).toEqual([0b10010001 - 128, 0]);
});

test('int8 keeps directions, whatever the vector', () => {
  const numbers = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 16, maxLength: 64 });
  fc.assert(
    fc.property(numbers, (values) => {
      fc.pre(values.some((value) => value !== 0));
      const small = quantized(
        Float32Array.from(values, (value) => value / 7),
        'int8',
      );
      for (const value of small) expect(Number.isInteger(value) && Math.abs(value) <= 127).toBe(true);
      const dot = small.reduce((sum, value, n) => sum + value * values[n]!, 0);
      expect(dot / Math.hypot(...small) / Math.hypot(...values)).toBeGreaterThan(0.999);
    }),
  );
  expect(quantized(new Float32Array(3), 'int8')).toEqual([0, 0, 0]);
});

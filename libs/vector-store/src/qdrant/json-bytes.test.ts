import { shortestFloats } from '@embedmill/jobs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BYTES_A_FLOAT, JsonBytes } from './json-bytes.ts';

function written(values: Float32Array): string {
  const bytes = new JsonBytes(2 + values.length * BYTES_A_FLOAT);
  bytes.floats(values);
  return bytes.written.toString();
}

test('numbers are written as JSON has them, in the fewest digits that are the same float32', () => {
  const numbers = Float32Array.of(
    0,
    -0,
    1,
    -1,
    0.1,
    -0.5,
    9.999999,
    1.5,
    10.25,
    1e-6,
    9.5e-7,
    1e-7,
    3e-40,
    1e20,
  );
  expect(written(numbers)).toBe(JSON.stringify(shortestFloats(numbers)));
  expect(written(new Float32Array())).toBe('[]');
});

test('so are any numbers, those of vectors among them, and there is room for them', () => {
  const any = fc.float({ noNaN: true, noDefaultInfinity: true });
  const ofVectors = fc.float({ noNaN: true, min: -1, max: 1 });
  const decimals = fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 0, max: 12 }));
  const short = decimals.map(([digits, power]) => digits / 10 ** power);
  const list = fc.array(fc.oneof(any, ofVectors, short), { maxLength: 50 });
  fc.assert(
    fc.property(list, (values) => {
      const vector = Float32Array.from(values);
      expect(written(vector)).toBe(JSON.stringify(shortestFloats(vector)));
    }),
    { numRuns: 2000 },
  );
});

test('texts and numbers follow one another', () => {
  const bytes = new JsonBytes(100);
  bytes.ascii('{"a":');
  bytes.floats(Float32Array.of(0.25, -0.125));
  bytes.json(',"b":"ü 😀"}');
  expect(JSON.parse(bytes.written.toString())).toEqual({ a: [0.25, -0.125], b: 'ü 😀' });
});

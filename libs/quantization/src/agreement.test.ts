import { expect, test } from 'vitest';
import { agreementOf } from './agreement.ts';

const circle = (degrees: readonly number[]): Float32Array =>
  Float32Array.from(
    degrees.flatMap((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]),
  );

test('a model agrees with itself', () => {
  const vectors = circle([0, 10, 25, 45, 70, 100, 135, 175, 220, 270, 325, 355]);
  const { leastCosine, meanCosine, sameNearest } = agreementOf(vectors, vectors, 2);
  expect(leastCosine).toBeCloseTo(1, 6);
  expect(meanCosine).toBeCloseTo(1, 6);
  expect(sameNearest).toBe(1);
});

test('cosines are of each text’s own two vectors', () => {
  const { leastCosine, meanCosine } = agreementOf(circle([0, 0]), circle([60, 0]), 2);
  expect(leastCosine).toBeCloseTo(0.5);
  expect(meanCosine).toBeCloseTo(0.75);
});

test('nearest texts that change places are counted', () => {
  const near = Array.from({ length: 11 }, (_, n) => n);
  // The last vector is at the opposite end in the second model: it is in nobody’s ten nearest, and then in everybody’s.
  const { sameNearest } = agreementOf(circle([...near, 180]), circle([...near.slice(0, 10), 180, 5.5]), 2);
  expect(sameNearest).toBeLessThan(1);
  expect(sameNearest).toBeGreaterThan(0.8);
});

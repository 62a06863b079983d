import type { Job } from '../../server/shapes.ts';
import { expect, test } from 'vitest';
import { paces, presentPace, sampled, secondsLeft, type Sample } from './pace.ts';

const job = (done: number, tokens: number) =>
  ({ scanned: true, documents: 1000, done, tokens, seconds: 10 }) as Job;

test('an update too soon after a sample, or with a lower count, is not sampled', () => {
  let samples: readonly Sample[] = [];
  for (const [at, done] of [
    [0, 0],
    [100, 5],
    [1000, 50],
    [2000, 20],
  ] as const)
    samples = sampled(samples, job(done, done * 10), at);
  expect(samples).toEqual([
    { at: 0, done: 0, tokens: 0 },
    { at: 1000, done: 50, tokens: 500 },
  ]);
});

test('the pace is measured over the last seconds, and the time left follows from it', () => {
  const samples = [0, 10, 20, 30].map((second) => ({ at: second * 1000, done: second ** 2, tokens: second }));
  expect(paces(samples).map(({ documents }) => documents)).toEqual([10, 30, 50]);
  const pace = presentPace(samples);
  expect(pace?.documents).toBe(50);
  expect(secondsLeft(job(900, 0), pace)).toBe(2);
});

test('without a pace, the average of the whole job is used; without progress, the time left is unknown', () => {
  expect(presentPace([])).toBeUndefined();
  expect(secondsLeft(job(500, 0), undefined)).toBe(10);
  expect(secondsLeft(job(0, 0), undefined)).toBeUndefined();
  expect(secondsLeft({ ...job(0, 0), documents: 0 }, undefined)).toBeUndefined();
  expect(secondsLeft({ ...job(500, 0), scanned: false }, undefined)).toBeUndefined();
});

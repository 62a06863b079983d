import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFinished, jobStateSchema, type JobId } from '@embedmill/jobs';
import type { RetainedJob } from '@embedmill/queue';
import { expiredJobs, type RetentionPolicy } from './retention.ts';

const DAY = 24 * 3600 * 1000;
const NOW = 1000 * DAY;
const policy: RetentionPolicy = { ageMs: 14 * DAY, failuresAgeMs: 90 * DAY, jobs: 100 };

const job = (id: string, daysAgo: number, changes: Partial<RetainedJob> = {}): RetainedJob => ({
  id: id as JobId,
  state: 'completed',
  isSettled: true,
  failed: 0,
  retryOf: null,
  collection: 'docs',
  sequence: 1,
  finishedAt: NOW - daysAgo * DAY,
  ...changes,
});

const expired = (...jobs: RetainedJob[]) => expiredJobs(jobs, policy, NOW);

test('jobs expire by age, later ones stay', () => {
  expect(expired(job('new', 13), job('old', 15), job('older', 16))).toEqual(['older', 'old']);
});

test('a job with failures is kept longer, but not forever', () => {
  const failed = { failed: 1 };
  expect(expired(job('a', 15, failed), job('b', 15, { state: 'failed' }))).toEqual([]);
  expect(expired(job('a', 91, failed), job('b', 92, { state: 'failed' }))).toEqual(['b', 'a']);
});

test('a retry that has completed deals with the failures of its job, one that was cancelled does not', () => {
  const failed = job('failed', 15, { failed: 3 });
  const retry = (changes: Partial<RetainedJob>) =>
    job('retry', 1, { retryOf: 'failed' as JobId, ...changes });
  expect(expired(failed, retry({}))).toEqual(['failed']);
  expect(expired(failed, retry({ failed: 1 }))).toEqual(['failed']);
  expect(expired(failed, retry({ state: 'cancelled' }))).toEqual([]);
});

test('beyond the maximum number of jobs, the oldest of each kind are removed', () => {
  const kind = (name: string, failed: number) =>
    Array.from({ length: 3 }, (_, n) => job(`${name}${n}`, 1 + n, { failed }));
  const two = { ...policy, jobs: 2 };
  expect(expiredJobs([...kind('good', 0), ...kind('bad', 1)], two, NOW).sort()).toEqual(['bad2', 'good2']);
});

const anyJob: fc.Arbitrary<RetainedJob> = fc.record({
  id: fc.uuid().map((id) => id as JobId),
  state: fc.constantFrom(...jobStateSchema.options),
  isSettled: fc.boolean(),
  finishedAt: fc.integer({ min: NOW - 200 * DAY, max: NOW }),
  failed: fc.nat(2),
  retryOf: fc.constant(null),
  collection: fc.constant('docs'),
  sequence: fc.nat(),
});

test('whatever there is: running jobs stay, the bounds hold, and failures within their time stay', () => {
  fc.assert(
    fc.property(fc.array(anyJob), fc.integer({ min: 1, max: 5 }), (jobs, most) => {
      const gone = new Set(expiredJobs(jobs, { ...policy, jobs: most }, NOW));
      const left = jobs.filter(({ id }) => !gone.has(id));
      const isOver = (one: RetainedJob) => isFinished(one.state) && one.isSettled;
      for (const one of jobs.filter((each) => !isOver(each))) expect(gone).not.toContain(one.id);
      const withFailures = (one: RetainedJob) => one.failed > 0 || one.state === 'failed';
      expect(left.filter((one) => isOver(one) && withFailures(one)).length).toBeLessThanOrEqual(most);
      expect(left.filter((one) => isOver(one) && !withFailures(one)).length).toBeLessThanOrEqual(most);
      const unbounded = new Set(expiredJobs(jobs, { ...policy, jobs: 1e6 }, NOW));
      for (const one of jobs.filter(withFailures))
        if (NOW - one.finishedAt <= policy.failuresAgeMs) expect(unbounded).not.toContain(one.id);
    }),
  );
});

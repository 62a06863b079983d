import type { Outcome } from './cluster.ts';
import type { SimulatedJob } from './simulated-job.ts';

/** What a simulation measures while it runs. */
export class Measures {
  readonly counts = { settled: 0, lost: 0, repeated: 0, mostOutstanding: 0, mostOfOneJob: 0 };
  readonly #jobs: readonly SimulatedJob[];
  /** Tokens left of each share whose jobs were all submitted at the start. */
  readonly #leftOf = new Map<string, number>();
  #lastClaim = { at: 0, busySeconds: 0 };
  #fairness: number | undefined;
  #shareFairness: number | undefined;

  constructor(jobs: readonly SimulatedJob[]) {
    this.#jobs = jobs;
    const late = new Set(jobs.flatMap(({ share, submittedAt }) => (submittedAt > 0 ? [share] : [])));
    for (const { share, shards, size } of jobs)
      if (!late.has(share)) this.#leftOf.set(share, (this.#leftOf.get(share) ?? 0) + shards * size);
  }

  /** Shards of `job` were added; `outstanding` counts those of all jobs. */
  noteAdded(job: SimulatedJob, outstanding: number): void {
    this.counts.mostOutstanding = Math.max(this.counts.mostOutstanding, outstanding);
    this.counts.mostOfOneJob = Math.max(this.counts.mostOfOneJob, job.outstanding);
  }

  /** No shard is left to claim. `busySeconds`: of all devices so far. */
  noteLastClaim(at: number, busySeconds: number): void {
    this.#lastClaim = { at, busySeconds };
  }

  /** A shard of this job was settled or lost. */
  noteDone(job: SimulatedJob): void {
    const left = this.#leftOf.get(job.share);
    if (left === undefined || this.#shareFairness !== undefined) return;
    this.#leftOf.set(job.share, left - job.size);
    if (left > job.size * 1.5) return;
    const served = new Map<string, number>();
    for (const { share, doneTokens } of this.#jobs)
      if (this.#leftOf.has(share)) served.set(share, (served.get(share) ?? 0) + doneTokens);
    this.#shareFairness = jainsIndex([...served.values()]);
  }

  noteFinished(job: SimulatedJob): void {
    if (this.#fairness !== undefined) return;
    const largest = Math.max(...this.#jobs.map(({ shards }) => shards));
    if (job.shards < largest) return;
    this.#fairness = jainsIndex(
      this.#jobs.filter(({ shards }) => shards === largest).map(({ done }) => done),
    );
  }

  outcome(workers: number): Outcome {
    const { at, busySeconds } = this.#lastClaim;
    const seconds = Math.max(...this.#jobs.map(({ finishedAt }) => finishedAt ?? Infinity));
    return {
      ...this.counts,
      seconds,
      utilisation: at === 0 ? 0 : busySeconds / (at * workers),
      tailSeconds: seconds - at,
      fairness: this.#fairness ?? 1,
      shareFairness: this.#shareFairness ?? 1,
      jobs: this.#jobs.map(({ shards, submittedAt, finishedAt = Infinity }) => ({
        shards,
        seconds: finishedAt - submittedAt,
      })),
    };
  }
}

/** (Σx)² / (n · Σx²), from Jain, Chiu and Hawe, DEC Research Report TR-301 (1984): 1 if all are the same. */
function jainsIndex(values: readonly number[]): number {
  const sum = values.reduce((total, one) => total + one, 0);
  return sum ** 2 / (values.length * values.reduce((total, one) => total + one * one, 0));
}

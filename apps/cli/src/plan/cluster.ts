/** The input and the outcome of a simulation. */
import type { Priority } from '@embedmill/jobs';
import { normal, seeded } from '../random.ts';

/** The cluster's settings. Times here and below are in seconds. */
export interface Cluster {
  workers: number;
  /** EMBEDMILL_WORKER_SHARDS. */
  shardsInHand: number;
  /** EMBEDMILL_WORKER_LOCK_SECONDS; for dispatchers, EMBEDMILL_API_LOCK_SECONDS. */
  lockSeconds: number;
  /** API replicas. */
  dispatchers: number;
  /** EMBEDMILL_API_MOST_SHARDS: the most shards that may wait for workers, and that one job may have outstanding. */
  mostShards: number;
  /** The time between two turns of a dispatcher. */
  pollSeconds: number;
  /** The time to add one shard to the queue. */
  addSeconds: number;
}

export interface LoadedJob {
  shards: number;
  submittedAt: number;
  /** The owner of the job; all shares have the same weight. By default, all jobs belong to one share. */
  share?: string;
  /** `normal` by default. */
  priority?: Priority;
  /** Size of its shards relative to full ones: 1 by default. */
  size?: number;
}

export interface Load {
  jobs: readonly LoadedJob[];
  /** Mean time of a shard on a device: log-normal, with `sigma` the standard deviation of its logarithm. */
  shardSeconds: number;
  sigma: number;
  /** The time that a worker holds a shard without using the device for it. */
  besideSeconds: number;
}

/** Mean times between failures of one worker or dispatcher; Infinity if there are none. */
export interface Faults {
  workerMtbf: number;
  /** The time until it is back, with its model loaded. */
  workerRestart: number;
  /** A worker stands still or is cut off for `freezeSeconds`, then continues. */
  freezeMtbf: number;
  freezeSeconds: number;
  dispatcherMtbf: number;
  /** Share of attempts that return the shard to the queue because a dependency is unavailable. */
  returned: number;
}

export const NO_FAULTS: Faults = {
  workerMtbf: Infinity,
  workerRestart: 0,
  freezeMtbf: Infinity,
  freezeSeconds: 0,
  dispatcherMtbf: Infinity,
  returned: 0,
};

export interface Outcome {
  /** The time until the last job has finished. */
  seconds: number;
  settled: number;
  /** Shards whose workers died repeatedly. */
  lost: number;
  /** Runs of shards that did not count: another worker had the lock, or the worker died during the run. */
  repeated: number;
  /** The most shards that were on the queue or in workers' hands at the same time: of all jobs, and of one job. */
  mostOutstanding: number;
  mostOfOneJob: number;
  /** Share of the workers' time in which their devices were busy, until no shard was left to claim. */
  utilisation: number;
  /** The time from then to the end. */
  tailSeconds: number;
  /**
   * Jain's index over the largest jobs, of what each had settled when the first of them ended; 1 means all the same.
   */
  fairness: number;
  /**
   * Jain's index over the shares whose jobs were all submitted at the start, of what each had settled when the first
   * share was complete.
   */
  shareFairness: number;
  jobs: { shards: number; seconds: number }[];
}

/** Seconds that a shard takes on a device: always the same, whichever worker runs it. */
export function deviceSeconds(load: Pick<Load, 'shardSeconds' | 'sigma'>, shard: number, seed = 1): number {
  const { shardSeconds, sigma } = load;
  const z = normal(seeded(seed + Math.imul(shard + 1, 0x9e3779b1)));
  return shardSeconds * Math.exp(sigma * z - (sigma * sigma) / 2);
}

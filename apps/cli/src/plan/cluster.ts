/** What is simulated, and what comes out of it. */
import type { Priority } from '@embedmill/jobs';
import { normal, seeded } from '../random.ts';

/** How the cluster is set. Times here and below are in seconds. */
export interface Cluster {
  workers: number;
  /** EMBEDMILL_WORKER_SHARDS. */
  shardsInHand: number;
  /** EMBEDMILL_WORKER_LOCK_SECONDS, and of dispatchers EMBEDMILL_API_LOCK_SECONDS. */
  lockSeconds: number;
  /** API replicas. */
  dispatchers: number;
  /** EMBEDMILL_API_MOST_SHARDS: what may wait for workers, and what a job may have outstanding. */
  mostShards: number;
  /** Between two turns of a dispatcher. */
  pollSeconds: number;
  /** What adding one shard to the queue takes. */
  addSeconds: number;
}

export interface LoadedJob {
  shards: number;
  submittedAt: number;
  /** Whose it is: shares have the same weight. All are of one by default. */
  share?: string;
  /** `normal` by default. */
  priority?: Priority;
  /** Of its shards, beside whole ones: 1 by default. */
  size?: number;
}

export interface Load {
  jobs: readonly LoadedJob[];
  /** Mean time of a shard on a device: log-normal, with `sigma` the deviation of its logarithm. */
  shardSeconds: number;
  sigma: number;
  /** What a shard spends in a worker's hands beside the device. */
  besideSeconds: number;
}

/** Mean times between failures are of one worker or dispatcher; Infinity where there are none. */
export interface Faults {
  workerMtbf: number;
  /** Until it is back, with its model loaded. */
  workerRestart: number;
  /** A worker stands still for `freezeSeconds`, or is cut off, and goes on. */
  freezeMtbf: number;
  freezeSeconds: number;
  dispatcherMtbf: number;
  /** Share of tries that give the shard back, because what it needs is away. */
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
  /** Until the last job has finished. */
  seconds: number;
  settled: number;
  /** Shards whose workers died again and again. */
  lost: number;
  /** Runs of shards that did not count: another had the lock, or the worker died with it. */
  repeated: number;
  /** Shards on the queue and in workers' hands at the same time: of all jobs, and of one. */
  mostOutstanding: number;
  mostOfOneJob: number;
  /** Share of the workers' time that their devices were busy, until no shard was left to be claimed. */
  utilisation: number;
  /** From then to the end. */
  tailSeconds: number;
  /** Jain's index over the largest jobs, of what each had settled when the first of them ended: 1 when all the same. */
  fairness: number;
  /** The same over the shares whose jobs were all there from the start, of what each had settled when the first of them had all. */
  shareFairness: number;
  jobs: { shards: number; seconds: number }[];
}

/** Seconds that a shard takes on a device: the same whoever runs it, and however often. */
export function deviceSeconds(load: Pick<Load, 'shardSeconds' | 'sigma'>, shard: number, seed = 1): number {
  const { shardSeconds, sigma } = load;
  const z = normal(seeded(seed + Math.imul(shard + 1, 0x9e3779b1)));
  return shardSeconds * Math.exp(sigma * z - (sigma * sigma) / 2);
}

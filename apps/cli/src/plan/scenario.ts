/** A plan as a simulation: the same cluster, with failures, and a small job in the middle of the large ones. */
import { usageError } from '../exit.ts';
import { ADD_SECONDS } from './costs.ts';
import { POLL_SECONDS, SHARDS_IN_HAND, type Plan, type PlanRequest } from './plan.ts';
import type { Cluster, Faults, Load } from './cluster.ts';

export interface Scenario {
  cluster: Cluster;
  load: Load;
  faults: Faults;
}

/** The simulation keeps a few bytes of memory for each shard. */
const MOST_SHARDS_SIMULATED = 50_000_000;
const LOCK_SECONDS = 15;
/** Shards have about as many documents, or bytes, each, so their times vary less than those of texts. */
const SIGMA = 0.5;
/** The time to read, look up and store a shard. */
const BESIDE_SECONDS = 0.1;
const SMALL_JOB_SHARDS = 4;

export interface ScenarioOptions {
  /** Mean hours between failures of one worker. */
  mtbfHours: number;
  /** API replicas, if other than planned. */
  replicas?: number | undefined;
  /** A fixed bound on each job's shards on the queue, instead of the one that follows the workers. */
  bound?: number | undefined;
}

/** Errors: a usage error if there are too many shards to simulate. */
export function scenarioOf(
  request: PlanRequest,
  plan: Plan,
  { mtbfHours, replicas = plan.replicas, bound }: ScenarioOptions,
): Scenario {
  if (plan.shards.count > MOST_SHARDS_SIMULATED)
    throw usageError(
      `${plan.shards.count} shards are too many to simulate; the maximum is ${MOST_SHARDS_SIMULATED}`,
    );
  const shards = Math.ceil(plan.shards.count / request.jobs);
  return {
    cluster: {
      workers: plan.workers,
      shardsInHand: SHARDS_IN_HAND,
      lockSeconds: LOCK_SECONDS,
      dispatchers: replicas,
      pollSeconds: POLL_SECONDS,
      addSeconds: ADD_SECONDS,
      mostShards: bound ?? plan.mostShards,
    },
    load: {
      jobs: [
        ...Array.from({ length: request.jobs }, () => ({ shards, submittedAt: 0 })),
        { shards: SMALL_JOB_SHARDS, submittedAt: plan.hours * 1800 },
      ],
      shardSeconds: plan.shards.seconds,
      sigma: SIGMA,
      besideSeconds: BESIDE_SECONDS,
    },
    faults: {
      workerMtbf: mtbfHours * 3600,
      workerRestart: 60,
      // A worker is cut off for longer than its locks hold, as often as it dies.
      freezeMtbf: mtbfHours * 3600,
      freezeSeconds: 2 * LOCK_SECONDS,
      dispatcherMtbf: mtbfHours * 3600,
      returned: 0.0001,
    },
  };
}

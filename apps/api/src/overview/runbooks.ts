/**
 * The texts of docs/runbooks.md for the problems that the overview detects by itself. They are repeated here because
 * people who read them in the console may not have that page. A test keeps the two equal.
 */
export const RUNBOOKS = {
  EmbedmillQueueStuck: {
    means:
      'shards are waiting on the queue and no worker has taken any for 10 minutes, although the queue is not paused.',
    todo: "start workers, or find out why the autoscaler did not: it should see the number from `GET /api/v1/backlog`. Make the model available (its message says how), or add it to the workers' list.",
  },
  EmbedmillNoProgress: {
    means:
      'jobs have documents left, the queue is not paused, and no document has been settled for more than 10 minutes. Workers may be busy all the same.',
    todo: "fix what the logs of the workers and the API name. You can kill a worker that hangs at any time: its shards go to others after `EMBEDMILL_WORKER_LOCK_SECONDS`. If a model is so slow that a shard takes more than 10 minutes, only the alert is wrong: add machines, or raise the alert's threshold.",
  },
  EmbedmillRedisMemory: {
    means:
      "the queue's Redis uses more than 80% of its `maxmemory`, or of its machine's memory. When it is full, it accepts no more jobs, and running jobs stop; none is lost.",
    todo: 'raise `maxmemory` or use a larger machine; use this Redis for embedmill alone; send many small jobs as a few large ones.',
  },
  EmbedmillRedisEvicts: {
    means:
      '`maxmemory-policy` is not `noeviction`: when memory is full, Redis drops keys, and keys are jobs. embedmill refuses to start on such a Redis, so somebody changed the policy while it ran.',
    todo: 'run `redis-cli CONFIG SET maxmemory-policy noeviction`, and set the same in its configuration.',
  },
  EmbedmillFailureRatio: {
    means: 'more than 5% of the documents settled in the last 15 minutes failed.',
    todo: 'for errors in documents, cancel the job, correct its source, and submit it again; unchanged documents are skipped. For others, fix the cause, then run `embedmill retry JOB`.',
  },
  EmbedmillJobFailed: {
    means: 'a job ended as `failed`: the whole job, not only some of its documents.',
    todo: 'make the source readable and submit it again. Documents that were stored before the failure stay, and are skipped then.',
  },
  EmbedmillStoreUnavailable: {
    means:
      'for 5 minutes, calls to the vector store have failed because it did not answer, or answered that it was unavailable. Workers return shards to the queue and retry them with growing pauses; after 30 tries, their documents go to the failures.',
    todo: 'restore the store; embedmill needs no action. If that takes longer than some 20 minutes, run `embedmill pause`, and `embedmill resume` when the store is back, so that no shard is given up. If the store is overloaded, use fewer workers or a larger store.',
  },
  EmbedmillTargetDown: {
    means:
      'an API or worker has not answered for 5 minutes: any target of a job `embedmill-…`, as the chart and Compose call theirs; of other jobs, one that was scraped within the last hour. A process that was removed in an orderly way is no longer a target and raises no alert.',
    todo: 'start it again. Its shards or jobs have already gone to others, or are waiting for it.',
  },
  EmbedmillEngineRestarts: {
    means:
      'more than three engines were restarted within 15 minutes. `crash`: the process died; `timeout`: a batch took longer than `EMBEDMILL_WORKER_BATCH_SECONDS`.',
    todo: "for memory, use fewer engines (`EMBEDMILL_WORKER_CPUS`) or smaller batches (`EMBEDMILL_WORKER_BATCH_AREA`). For timeouts, raise `EMBEDMILL_WORKER_BATCH_SECONDS` if the machine is slow. If a single document kills engines, it ends in its job's failures by itself.",
  },
  'A model cannot be loaded': {
    means:
      'workers report that they cannot load a model that jobs or searches need; both wait for it. This problem has no alert of its own: [EmbedmillQueueStuck](#embedmillqueuestuck) fires after 10 minutes.',
    todo: 'what the message says. Within half a minute of the fix, workers try again by themselves.',
  },
  'The disk is full': {
    means:
      "the spool's disk has less free space than the reserve. embedmill refuses new uploads and running jobs wait; nothing is lost.",
    todo: 'make room, or use a larger disk; work continues by itself. `embedmill forget JOB` removes what is kept of a finished job. `EMBEDMILL_DISK_RESERVE_BYTES` sets the reserve.',
  },
} as const satisfies Record<string, { means: string; todo: string }>;

export type Runbook = keyof typeof RUNBOOKS;

/** The runbook's place, from the repository's root. */
export function anchorOf(runbook: Runbook): string {
  return `docs/runbooks.md#${runbook.toLowerCase().replaceAll(' ', '-')}`;
}

/**
 * What docs/runbooks.md says of the problems that the overview can see by itself, in its words: those who read them in the
 * console may have no copy of it. A test holds the two to the same.
 */
export const RUNBOOKS = {
  EmbedmillQueueStuck: {
    means:
      'shards lie on the queue and no worker has taken any for 10 minutes, though the queue is not paused.',
    todo: "start workers, or find out why the autoscaler did not: `GET /api/v1/backlog` is the number that it should see. Make the model available (its message says how), or add it to the workers' list.",
  },
  EmbedmillNoProgress: {
    means:
      'jobs have documents to go, the queue is not paused, and no document has been settled for more than 10 minutes. Workers may be busy all the same.',
    todo: 'what the logs of workers and of the API name. A worker that hangs can be killed at any time: its shards go to others after `EMBEDMILL_WORKER_LOCK_SECONDS`. Where a model is so slow that a shard takes longer than this, nothing is wrong but the alert: give it more machines, or more patience.',
  },
  EmbedmillRedisMemory: {
    means:
      "the queue's Redis uses more than 80% of its `maxmemory`, or of its machine's memory. Full, it takes no more jobs, and running ones stand still; none is lost.",
    todo: 'raise `maxmemory` or take a larger machine; keep Redis for embedmill alone; send many small jobs as a few large ones.',
  },
  EmbedmillRedisEvicts: {
    means:
      '`maxmemory-policy` is not `noeviction`: when memory is full, Redis drops keys, and keys are jobs. Embedmill refuses to start on such a Redis, so the policy was changed while it ran.',
    todo: '`redis-cli CONFIG SET maxmemory-policy noeviction`, and the same in its configuration.',
  },
  EmbedmillFailureRatio: {
    means: 'more than 5% of the documents settled in the last 15 minutes failed.',
    todo: 'faults of documents: cancel the job, mend its source, submit it again; unchanged documents are skipped. Others: mend the cause, then `embedmill retry JOB`.',
  },
  EmbedmillJobFailed: {
    means: 'a job ended as `failed`: not some of its documents, but all of it.',
    todo: 'make the source readable and submit it again. What was stored before it failed stays, and is skipped then.',
  },
  EmbedmillStoreUnavailable: {
    means:
      'for 5 minutes calls of the vector store have failed because it did not answer, or answered that it cannot now. Shards are given back and tried again, with longer and longer pauses; after 30 tries their documents go to the failures.',
    todo: 'bring it back; nothing is to be done here. When it takes longer than some 20 minutes, `embedmill pause`, and `embedmill resume` when it is back, saves shards from being given up. When it is overloaded: fewer workers, or a larger store.',
  },
  EmbedmillTargetDown: {
    means:
      'an API or worker that was scraped within the last hour does not answer for 5 minutes. One that was taken away in order is no target any more, and no alert.',
    todo: 'start it again. Its shards or jobs have gone to others already, or wait for it.',
  },
  EmbedmillEngineRestarts: {
    means:
      'more than three engines were started again within 15 minutes. `crash`: the process died; `timeout`: a batch took longer than `EMBEDMILL_WORKER_BATCH_SECONDS`.',
    todo: "memory: fewer engines (`EMBEDMILL_WORKER_CPUS`) or smaller batches (`EMBEDMILL_WORKER_BATCH_AREA`). Timeouts: a larger `EMBEDMILL_WORKER_BATCH_SECONDS` where the machine is slow. One document that kills engines ends in its job's failures by itself.",
  },
  'A model cannot be loaded': {
    means:
      'workers say that they cannot load a model which jobs or searches want; both wait for it. No alert of its own fires: [EmbedmillQueueStuck](#embedmillqueuestuck) does after 10 minutes.',
    todo: 'what the message says. Workers try again by themselves within half a minute of its being mended.',
  },
  'The disk is full': {
    means:
      'less is free on the disk of the spool than is kept free. New uploads are refused and running jobs wait; nothing is lost.',
    todo: 'make room, or give it a larger disk; it goes on by itself. `embedmill forget JOB` removes what is kept of a finished job. `EMBEDMILL_DISK_RESERVE_BYTES` says how much is kept free.',
  },
} as const satisfies Record<string, { means: string; todo: string }>;

export type Runbook = keyof typeof RUNBOOKS;

/** Where it is, from the repository's root. */
export function anchorOf(runbook: Runbook): string {
  return `docs/runbooks.md#${runbook.toLowerCase().replaceAll(' ', '-')}`;
}

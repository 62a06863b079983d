import { setTimeout } from 'node:timers/promises';
import {
  asEmbedmillError,
  EmbedmillError,
  isFinished,
  type JobState,
  type Shard,
  type ShardRange,
  type ShardResult,
  type SourceRef,
} from '@embedmill/jobs';
import { withLogFields } from '@embedmill/logs';
import {
  ADDED_AT_ONCE,
  areAllSettled,
  consumeIngest,
  isSettled,
  parseRecord,
  refusedForNow,
  ShardBound,
  sourceOf,
  type IngestConsumer,
  type IngestHandle,
  type QueueOptions,
} from '@embedmill/queue';
import { failShard, readManifest } from '@embedmill/sources';
import { joinOutput } from './export-output.ts';
import { scan, type ScanParts } from './scan.ts';
import { tellEnd, tellFailures, type WebhookSender } from './webhooks.ts';

/**
 * The one loop that moves jobs: it scans a job's source into a manifest, keeps a bounded number of its shards
 * on the queue, sums up what workers settled, and finishes when none is left.
 *
 * It is the only writer of a job's progress. Everything it knows is in the job's record, saved before it counts:
 * killed at any point, the next dispatcher goes on from there. Pause, cancel, fairness between jobs and a queue
 * that stays shallow all follow from the bound on outstanding shards.
 *
 * Redis may lose the end of what it was told, and with it shards, results, or a job's last state. So a job ends only
 * when each shard of its manifest has been counted: those that are neither counted nor on the queue are added again,
 * which costs a look at each document where it is stored already. A job that had finished stays finished: the spool
 * has its last record.
 */
export type DispatcherOptions = QueueOptions &
  ScanParts & {
    /** Jobs dispatched at the same time. */
    jobs: number;
    /** Shards that one job may have on the queue in any case. */
    outstandingShards: number;
    /** And at most, where workers would else find none. */
    mostShards: number;
    /** Pause between two looks at what workers settled, in milliseconds; shorter at first while a job's last shards run. */
    pollMs: number;
    /** After this long without a sign of life, another dispatcher takes over. */
    lockMs: number;
    /** Nobody is told of jobs' ends by default. */
    webhooks?: WebhookSender;
    hooks?: DispatcherHooks;
  };

export type FinishedState = Extract<JobState, 'completed' | 'cancelled' | 'failed'>;

export interface DispatcherHooks {
  onFinished?: (state: FinishedState) => void;
  /** One look at a job: shards added, results summed up. */
  onTurn?: (seconds: number) => void;
  /** Documents whose shard was given up. */
  onLost?: (documents: number) => void;
}

export interface DispatcherLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** A disk that is full or a Redis that is away is waited for; a defect of our own is not, forever. */
const MAX_INTERNAL_ERRORS = 20;

const SHORT_PAUSE_MS = 10;
/** Else the same job would always be the first to find the queue empty. */
const jitter = (): number => 0.75 + Math.random() / 2;

/** What all jobs of a dispatcher share: the bound of each queue, by the model whose it is. */
type Bounds = Map<string, ShardBound>;

export function startDispatcher(options: DispatcherOptions): Promise<IngestConsumer> {
  const bounds: Bounds = new Map();
  return consumeIngest(
    {
      ...options,
      concurrency: options.jobs,
      lockMs: options.lockMs,
      onError: (error) => options.log.warn({ err: error }, 'the dispatcher lost touch with the queue'),
    },
    (handle, signal) => withLogFields({ job: handle.id }, () => dispatch(handle, options, bounds, signal)),
  );
}

async function dispatch(
  handle: IngestHandle,
  options: DispatcherOptions,
  bounds: Bounds,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (await hasFinished(handle, options)) return;
    const source = await scan(handle, options, signal);
    if (source === undefined) return await finish(handle, options, 'cancelled');
    const bound = boundOf(handle, options, bounds);
    await run(handle, options, { source, bound, rival: await handle.rival() }, signal);
  } catch (thrown) {
    const error = refusedForNow(thrown) ?? asEmbedmillError(thrown);
    const mayPass = error.retryable && (error.code !== 'internal' || handle.attempt < MAX_INTERNAL_ERRORS);
    if (signal.aborted || mayPass) {
      if (!signal.aborted) options.log.warn({ err: error }, 'the job will be tried again');
      throw error;
    }
    await handle.assertHeld();
    await handle.withdrawShards();
    await foldAll(handle, options);
    handle.record = { ...handle.record, error: { code: error.code, message: error.message } };
    await finish(handle, options, 'failed');
  }
}

/** Whether the job had finished before, also where Redis does not know it any more; what was left to do then is done. */
async function hasFinished(handle: IngestHandle, options: DispatcherOptions): Promise<boolean> {
  if (!isFinished(handle.record.state)) {
    const kept = await options.spool.readRecord(handle.id, 'finished');
    const finished = kept === undefined ? undefined : parseRecord(kept);
    // An id may stand for another submission by now, of the same Idempotency-Key.
    if (finished?.submission !== handle.record.submission) return false;
    handle.record = finished;
    await handle.save();
  }
  await leaveOrder(handle, options);
  await tidy(handle, options);
  return true;
}

function boundOf({ record }: IngestHandle, options: DispatcherOptions, bounds: Bounds): ShardBound {
  const { model } = record.collection.profile;
  const { outstandingShards: perJob, mostShards: most } = options;
  const bound = bounds.get(model) ?? new ShardBound({ perJob, most });
  bounds.set(model, bound);
  return bound;
}

async function run(
  handle: IngestHandle,
  options: DispatcherOptions,
  { source, bound, rival }: { source: SourceRef; bound: ShardBound; rival: number },
  signal: AbortSignal,
): Promise<void> {
  const fold = () => handle.fold((shard) => loseShard(shard, options));
  await fold();
  let manifest = readManifest(options.spool, handle.id, handle.record.cursor.offset);
  let ahead = await manifest.next();
  let cancelled = false;
  let toldFailures = false;
  let pauseMs = SHORT_PAUSE_MS / 2;
  try {
    for (;;) {
      signal.throwIfAborted();
      const startedAt = performance.now();
      await handle.assertHeld();
      cancelled ||= await handle.isCancelled();
      if (cancelled) await handle.withdrawShards();
      let outstanding = await handle.outstanding();
      const before = handle.record.cursor.index;
      const isAdding = !cancelled && ahead.done !== true;
      const room = isAdding ? bound.room({ outstanding, waiting: await handle.waiting() }) : 0;
      const most = outstanding + room;
      while (!ahead.done && outstanding < most) {
        const { index } = handle.record.cursor;
        const { range, next } = ahead.value;
        if (!isSettled(handle.record.settled, index)) {
          await handle.addShard(shardOf(handle, { source, rival }, index, range));
          outstanding += 1;
        }
        handle.record = {
          ...handle.record,
          cursor: { index: index + 1, offset: next, bytes: range.offset + range.length },
        };
        ahead = await manifest.next();
      }
      const folded = await fold();
      if (folded === 0 && handle.record.cursor.index > before) await handle.save();
      if (options.webhooks !== undefined) toldFailures ||= await tellFailures(handle, options.webhooks);
      options.hooks?.onTurn?.((performance.now() - startedAt) / 1000);
      const isEnding = cancelled || ahead.done === true;
      if (outstanding === 0 && isEnding) {
        await foldAll(handle, options);
        const { settled, progress } = handle.record;
        if (cancelled || areAllSettled(settled, progress.shards)) break;
        const { shards, shardsDone: done } = progress;
        options.log.warn({ shards, done }, 'the queue lost shards of the job; they are added again');
        await manifest.return(undefined);
        handle.record = { ...handle.record, cursor: { index: 0, offset: 0, bytes: 0 } };
        manifest = readManifest(options.spool, handle.id);
        ahead = await manifest.next();
        continue;
      }
      // Nobody shall wait long for a job that is as good as finished, nor Redis be asked in vain all the time.
      const isShort = isEnding ? folded > 0 : room === ADDED_AT_ONCE;
      if (isShort) pauseMs = SHORT_PAUSE_MS;
      else pauseMs = isEnding ? Math.min(options.pollMs, pauseMs * 2) : options.pollMs * jitter();
      await pause(pauseMs, signal);
    }
  } finally {
    await manifest.return(undefined);
  }
  if (!cancelled) await joinOutput(handle, options);
  await finish(handle, options, cancelled ? 'cancelled' : 'completed');
}

/** Folds until nothing is left to fold; shards still on the queue are waited for. */
async function foldAll(handle: IngestHandle, options: DispatcherOptions): Promise<void> {
  for (;;) {
    const outstanding = await handle.outstanding();
    const folded = await handle.fold((shard) => loseShard(shard, options));
    if (outstanding === 0 && folded === 0) return;
    if (folded === 0) await pause(options.pollMs);
  }
}

async function loseShard(shard: Shard, options: DispatcherOptions): Promise<ShardResult> {
  options.log.warn({ shard: shard.index }, 'workers died on a shard again and again');
  const message = 'workers died on its shard again and again; retry the job to try its documents once more';
  const result = await failShard(options.spool, shard, new EmbedmillError('worker_lost', message));
  options.hooks?.onLost?.(result.failed);
  return result;
}

async function finish(handle: IngestHandle, options: DispatcherOptions, state: FinishedState): Promise<void> {
  const { record } = handle;
  const { source, progress } = record;
  const kept = source.kind === 'inline' && progress.failed === 0 ? { ...source, lines: [] } : source;
  handle.record = { ...record, source: kept, state, finishedAt: new Date().toISOString() };
  await leaveOrder(handle, options);
  await handle.save();
  await tidy(handle, options);
  options.hooks?.onFinished?.(state);
  options.log.info({ state, ...progress }, 'the job has finished');
}

/** What is left to do for a job that has finished. Its source is kept while failures may want to be tried again. */
async function tidy(handle: IngestHandle, { spool, webhooks }: DispatcherOptions): Promise<void> {
  const { id, record } = handle;
  await spool.keepRecord(id, record, 'finished');
  if (webhooks !== undefined) await tellEnd(handle, webhooks);
  const source = sourceOf(record);
  if (record.progress.failed === 0 && source !== undefined) await spool.removeSource(source);
  // An upload in another format is not needed once it has been made into NDJSON.
  if (record.source.kind === 'encoded') await spool.removeSource(record.source.source);
  if (record.sink !== undefined) await spool.removeParts(id);
}

/** Nothing of a job is written any more, once it has ended: but by a retry of what failed, or by a verification. */
async function leaveOrder(handle: IngestHandle, { spool }: DispatcherOptions): Promise<void> {
  const { record } = handle;
  if (record.progress.failed > 0) return;
  const source = sourceOf(record);
  // A source that is not ours stays, and a verification may find documents of it missing.
  const stays = source !== undefined && source.kind !== 'inline' && !spool.holds(source);
  await handle.leaveOrder(stays);
}

function shardOf(
  handle: IngestHandle,
  { source, rival }: { source: SourceRef; rival: number },
  index: number,
  range: ShardRange,
): Shard {
  const { purpose, collection, tenant, sequence, sink } = handle.record;
  return { job: handle.id, index, sequence, rival, purpose, collection, tenant, sink, source, range };
}

async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal });
}

import { setTimeout } from 'node:timers/promises';
import {
  asEmbedmillError,
  isBeyond,
  isFinished,
  NO_COLLECTION,
  REPORT_KINDS,
  reportRoom,
  tooManyFailures,
  WHOLE,
  type CollectionName,
  type FinishedState,
  type Progress,
  type Shard,
  type ShardResult,
  type SourceRef,
} from '@embedmill/jobs';
import { withLogFields } from '@embedmill/logs';
import {
  consumeIngest,
  parseRecord,
  refusedForNow,
  shareOf,
  sourceOf,
  storedIn,
  type IngestConsumer,
  type IngestHandle,
  type JobSource,
  type QueueOptions,
} from '@embedmill/queue';
import { joinBatch } from '../batches/batch-output.ts';
import { beginLoad, endLoad } from './bulk-loads.ts';
import { markFilled } from '../collections/copying.ts';
import { forgetGone } from '../deletions/gone-documents.ts';
import { joinDataset } from '../datasets/dataset-output.ts';
import { endNote, noteScanWait, runNoted } from './job-notes.ts';
import { joinOutput } from './export-output.ts';
import { assertNotLosing } from './lock-losses.ts';
import { isDeletionByFilter } from '../deletions/older-jobs.ts';
import { clearToLook, closeRangeTombstone, yieldToLaterDeletions } from '../deletions/range-tombstones.ts';
import { RunningJob, type JobEnd } from './running-job.ts';
import { scan, scanRest, type ScanParts } from './scan.ts';
import { ScanSlots } from './scan-slots.ts';
import { Turns } from './turns.ts';
import { tellEnd, tellFailures, type WebhookSender } from './webhooks.ts';

/**
 * Runs jobs: it scans a job's source into a manifest, adds its shards to the queue as room allows (`Turns`), aggregates
 * what workers settle, and finishes the job when no shard is left. Some dispatcher has every unfinished job. The number
 * of concurrent scans is bounded, the number of running jobs is not.
 *
 * It is the only writer of a job's progress. Its state is in the job's record, which is saved before it takes effect: if
 * the dispatcher is killed at any point, the next one resumes from there.
 *
 * Redis may lose its latest writes, and with them shards, results or a job's last state. So a job ends only when each
 * shard of its manifest has been counted. Shards that are neither counted nor on the queue are added again, which costs
 * one look-up per document that is already stored. A finished job stays finished, because the spool has its last record.
 */
export type DispatcherOptions = QueueOptions &
  ScanParts & {
    /** The most active jobs at the same time, running or waiting. */
    jobs: number;
    /** The most sources that are scanned at the same time. */
    scans: number;
    /** The most shards that one job may have outstanding, and that may wait for workers. */
    mostShards: number;
    /** The most failures, and warnings, that a job lists; further documents are only counted. */
    maxReports: number;
    /** The pause between two checks of settled shards, in milliseconds. */
    pollMs: number;
    /** The weight of a share in the allocation of queue room. */
    weightOf: (share: string) => number;
    /** After this long without a heartbeat, another dispatcher takes over. */
    lockMs: number;
    /** By default, nobody is notified of jobs' ends. */
    webhooks?: WebhookSender;
    hooks?: DispatcherHooks;
  };

export interface DispatcherHooks {
  onFinished?: (state: FinishedState) => void;
  /** One check of all jobs of this dispatcher. */
  onTurn?: (seconds: number) => void;
  /** Documents whose shard was given up. */
  onLost?: (documents: number) => void;
  /** Results were added to the progress of a job, which may belong to a tenant. */
  onSettled?: (tenant: string | undefined, before: Progress, after: Progress) => void;
  /** Documents deleted because a snapshot lacks them, and the dense model of their collection. */
  onGone?: (documents: number, model: string) => void;
}

/** A full disk or an unavailable Redis is waited for without limit; an internal error is not. */
const MAX_INTERNAL_ERRORS = 20;

/** An NDJSON source of this size is scanned within some tens of milliseconds. */
const SMALL_BYTES = 1024 * 1024;

/** What all jobs of a dispatcher share. */
interface InHand {
  turns: Turns;
  slots: ScanSlots;
  /** Lets one job at a time hold the keys of a snapshot's documents in memory. */
  keySets: ScanSlots;
}

export function startDispatcher(options: DispatcherOptions): Promise<IngestConsumer> {
  const slots = new ScanSlots(options.scans);
  const keySets = new ScanSlots(1);
  let turns: Turns | undefined;
  return consumeIngest(
    {
      ...options,
      concurrency: options.jobs,
      lockMs: options.lockMs,
      onError: (error) => options.log.warn({ err: error }, 'the dispatcher lost its connection to the queue'),
    },
    (handle, signal, queue) => {
      turns ??= new Turns(queue, {
        pollMs: options.pollMs,
        mostShards: options.mostShards,
        weightOf: options.weightOf,
        onTurn: options.hooks?.onTurn,
      });
      const inHand = { turns, slots, keySets };
      return withLogFields({ job: handle.id }, () => dispatch(handle, options, inHand, signal));
    },
  );
}

async function dispatch(
  handle: IngestHandle,
  options: DispatcherOptions,
  inHand: InHand,
  signal: AbortSignal,
): Promise<void> {
  let isLoad = false;
  try {
    if (await hasFinished(handle, options)) return;
    const end = (state: FinishedState) => finish(handle, options, state, inHand, signal);
    if (isDeletionByFilter(handle.record) && !(await clearToLook(handle, options, signal)))
      return await end('cancelled');
    await assertNotLosing(handle);
    const source = await scanned(handle, options, inHand, signal);
    if (source === undefined) return await end('cancelled');
    isLoad = await beginLoad(handle, source, options);
    const job = new RunningJob(handle, source, {
      spool: options.spool,
      mostShards: options.mostShards,
      reports: reportRoom(options.maxReports),
      log: options.log,
      loseShard: (shard) => loseShard(handle, shard, options),
      onFolded: foldedTeller(handle, options),
    });
    const ran = await runScanning(job, handle, source, options, inHand, signal);
    const tooMany =
      ran === 'completed' ? tooManyFailures(handle.record.maxFailures, handle.record.progress) : undefined;
    if (tooMany !== undefined) throw tooMany;
    const state = ran === 'completed' ? await forgetGone(handle, options, inHand.keySets, signal) : ran;
    if (state === 'completed') {
      await joinOutput(handle, options);
      await joinBatch(handle, options);
      await joinDataset(handle, options);
      await markFilled(handle, options);
    }
    await end(state);
    if (isLoad) await endLoad(handle, options);
  } catch (thrown) {
    const error = refusedForNow(thrown) ?? asEmbedmillError(thrown);
    const mayPass = error.retryable && (error.code !== 'internal' || handle.attempt < MAX_INTERNAL_ERRORS);
    if (signal.aborted || mayPass) {
      if (!signal.aborted) {
        options.log.warn({ err: error }, 'the job will be retried');
        const text = `it waits and will continue by itself: ${error.code}: ${error.message}`;
        handle.note({ level: 'warn', event: 'job_returned', text });
      }
      throw error;
    }
    await handle.assertHeld();
    await handle.withdrawShards();
    await foldAll(handle, options);
    handle.record = { ...handle.record, error: { code: error.code, message: error.message } };
    await finish(handle, options, 'failed', inHand, signal);
    if (isLoad) await endLoad(handle, options);
  }
}

/** Runs a job, and scans what is left of its source beside that. */
async function runScanning(
  job: RunningJob,
  handle: IngestHandle,
  source: SourceRef,
  options: DispatcherOptions,
  { turns, slots }: InHand,
  signal: AbortSignal,
): Promise<JobEnd> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const share = shareOf(handle.record);
  const inTurn = <T>(scan: () => Promise<T>): Promise<T> =>
    slots.run({ share, isSmall: false }, either, scan);
  const scanning = scanRest(handle, job, source, { ...options, inTurn }, either).catch((error: unknown) => {
    if (!either.aborted) job.fail(error);
  });
  try {
    return await runNoted(job, handle, turns, signal);
  } finally {
    over.abort();
    await scanning;
  }
}

/** Whether the job had finished before, even if Redis has forgotten it; completes what was left to do. */
async function hasFinished(handle: IngestHandle, options: DispatcherOptions): Promise<boolean> {
  if (!isFinished(handle.record.state)) {
    const kept = await options.spool.readRecord(handle.id, 'finished');
    const finished = kept === undefined ? undefined : parseRecord(kept);
    // An id may stand for another submission by now, of the same Idempotency-Key.
    if (finished?.submission !== handle.record.submission) return false;
    handle.record = finished;
    await handle.save();
  } else await options.spool.keepRecord(handle.id, handle.record, 'finished');
  await leaveOrder(handle, options);
  await tidy(handle, options);
  return true;
}

/** Scans the job when its turn comes, unless it was scanned before. Undefined if it was cancelled in the meantime. */
async function scanned(
  handle: IngestHandle,
  options: DispatcherOptions,
  { turns, slots }: InHand,
  signal: AbortSignal,
): Promise<SourceRef | undefined> {
  if (handle.record.state === 'running') return sourceOf(handle.record);
  const cancelled = new AbortController();
  const unwatch = turns.watch(handle, () => cancelled.abort());
  const either = AbortSignal.any([signal, cancelled.signal]);
  const { source } = handle.record;
  const waiting = noteScanWait(handle);
  try {
    return await slots.run({ share: shareOf(handle.record), isSmall: isSmall(source) }, either, () => {
      clearTimeout(waiting);
      unwatch();
      return scan(handle, options, signal);
    });
  } catch (thrown) {
    if (cancelled.signal.aborted && !signal.aborted) return undefined;
    throw thrown;
  } finally {
    clearTimeout(waiting);
    unwatch();
  }
}

/** Whether its scan is expected to be short. */
function isSmall(source: JobSource): boolean {
  switch (source.kind) {
    case 'inline':
      return true;
    case 'file':
    case 's3':
      return source.size <= SMALL_BYTES;
    case 'encoded':
    case 'batch':
    case 'dataset':
      return source.source.size <= SMALL_BYTES / 8;
    case 'files':
      return source.bytes !== undefined && source.bytes <= SMALL_BYTES / 8;
    case 'url':
    case 'collection':
      return false;
  }
}

/** Runs the job until nothing is left to do, including the shards that are still on the queue. */
async function foldAll(handle: IngestHandle, options: DispatcherOptions): Promise<void> {
  for (;;) {
    const outstanding = await handle.outstanding();
    const folded = await handle.fold((shard) => loseShard(handle, shard, options));
    if (outstanding === 0 && folded === 0) return;
    if (folded === 0) await pause(options.pollMs);
  }
}

async function loseShard(
  handle: IngestHandle,
  shard: Shard,
  options: DispatcherOptions,
): Promise<ShardResult> {
  options.log.warn({ shard: shard.index }, 'workers died repeatedly while processing a shard');
  const text = `workers died repeatedly while processing shard ${shard.index}; its ${shard.range.documents} documents failed`;
  handle.note({ level: 'error', event: 'shard_lost', text });
  const message =
    'workers died repeatedly while processing its shard; retry the job to process its documents again';
  const input = { shard, code: 'worker_lost', message } as const;
  const result = await options.threads.run('failShard', input, { share: shard.tenant });
  options.hooks?.onLost?.(result.failed);
  return result;
}

/** Reports results to the counters, and to the job's webhook once enough documents failed; ends a job with too many failures. */
function foldedTeller(
  handle: IngestHandle,
  { webhooks, hooks }: DispatcherOptions,
): (before: Progress) => Promise<void> {
  let isTold = false;
  return async (before) => {
    hooks?.onSettled?.(handle.record.tenant, before, handle.record.progress);
    if (webhooks !== undefined) isTold ||= await tellFailures(handle, webhooks);
    const { maxFailures, progress, unscanned } = handle.record;
    // A share can only be judged once all documents are counted.
    const documents = unscanned === undefined ? progress.documents : Number.POSITIVE_INFINITY;
    const tooMany = tooManyFailures(maxFailures, { failed: progress.failed, documents });
    if (tooMany !== undefined) throw tooMany;
  };
}

async function finish(
  handle: IngestHandle,
  options: DispatcherOptions,
  state: FinishedState,
  { keySets }: InHand,
  signal: AbortSignal,
): Promise<void> {
  // The client keeps the answers from before the cancellation.
  if (state === 'cancelled') await joinBatch(handle, options);
  await yieldToLaterDeletions(handle, options, keySets, signal);
  await closeRangeTombstone(handle, options, state);
  const { record } = handle;
  const { source, progress } = record;
  const kept = source.kind === 'inline' && progress.failed === 0 ? { ...source, lines: [] } : source;
  handle.record = { ...record, source: kept, state, finishedAt: new Date().toISOString() };
  await leaveOrder(handle, options);
  if (state !== 'completed' || progress.failed > 0) await takeBack(handle, options);
  await cutReports(handle, options);
  // Saved before the end becomes visible, so that it is found here if Redis forgets it.
  await handle.assertHeld();
  await options.spool.keepRecord(handle.id, handle.record, 'finished');
  await handle.save();
  await tidy(handle, options);
  options.hooks?.onFinished?.(state);
  options.log.info({ state, ...progress }, 'the job has finished');
  handle.note(endNote(handle.record));
}

/** Concurrent shards may have written more reports than the job may list. */
async function cutReports({ id, record }: IngestHandle, options: DispatcherOptions): Promise<void> {
  const { reported } = record;
  const most = reportRoom(options.maxReports);
  if (reported === undefined) return;
  for (const kind of REPORT_KINDS)
    if (isBeyond(reported[kind], most)) await options.spool.cutReports(id, kind, most);
}

/** If the job's collection was created again in the meantime, removes what its workers may have written there. */
async function takeBack({ id, record }: IngestHandle, { store, log }: DispatcherOptions): Promise<void> {
  const { collection, sequence, sections = WHOLE } = record;
  if (collection.name === NO_COLLECTION) return;
  try {
    for (const { after } of sections)
      await store.takeBack(collection.name as CollectionName, sequence + after, collection);
  } catch (error) {
    log.warn({ err: error, job: id }, 'cannot determine whether the collection of a job was created again');
  }
}

/** Cleans up after a finished job. Its source is kept while failures can be retried. */
async function tidy(handle: IngestHandle, { spool, webhooks }: DispatcherOptions): Promise<void> {
  const { id, record } = handle;
  if (webhooks !== undefined) await tellEnd(handle, webhooks);
  const source = sourceOf(record);
  if (record.progress.failed === 0 && source !== undefined) await spool.removeSource(source);
  // An upload of another format, or of many files, is not needed once it was converted to NDJSON.
  if (record.source.kind === 'encoded' || record.source.kind === 'files')
    for (const original of storedIn(record.source)) await spool.removeSource(original);
  if (record.sink !== undefined || record.dataset !== undefined) await spool.removeParts(id);
  if (record.mode === 'snapshot') await spool.removeKeys(id);
  if (record.gone !== undefined) await spool.removeSource(record.gone.list);
}

/** After its end, only a retry of failures or a verification writes for a job. */
async function leaveOrder(handle: IngestHandle, { spool }: DispatcherOptions): Promise<void> {
  const { record } = handle;
  if (record.progress.failed > 0) return;
  const source = sourceOf(record);
  // External sources are kept, and a verification may find that documents of them are missing.
  const stays = source !== undefined && source.kind !== 'inline' && !spool.holds(source);
  await handle.leaveOrder(stays);
}

async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal });
}

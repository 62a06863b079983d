import { setTimeout } from 'node:timers/promises';
import {
  asEmbedmillError,
  EmbedmillError,
  isBeyond,
  isFinished,
  NO_COLLECTION,
  REPORT_KINDS,
  reportRoom,
  tooManyFailures,
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
import { isDeletionByFilter } from '../deletions/older-jobs.ts';
import { clearToLook, closeRangeTombstone, yieldToLaterDeletions } from '../deletions/range-tombstones.ts';
import { RunningJob } from './running-job.ts';
import { scan, type ScanParts } from './scan.ts';
import { ScanSlots } from './scan-slots.ts';
import { Turns } from './turns.ts';
import { tellEnd, tellFailures, type WebhookSender } from './webhooks.ts';

/**
 * What moves jobs: it scans a job's source into a manifest, puts its shards on the queue as there is room for them
 * (`Turns`), sums up what workers settled, and finishes when none is left. All unfinished jobs are in some dispatcher's
 * hands; how many are scanned at the same time is bounded, how many run is not.
 *
 * It is the only writer of a job's progress. Everything it knows is in the job's record, saved before it counts:
 * killed at any point, the next dispatcher goes on from there.
 *
 * Redis may lose the end of what it was told, and with it shards, results, or a job's last state. So a job ends only
 * when each shard of its manifest has been counted: those that are neither counted nor on the queue are added again,
 * which costs a look at each document where it is stored already. A job that had finished stays finished: the spool
 * has its last record.
 */
export type DispatcherOptions = QueueOptions &
  ScanParts & {
    /** Jobs in hand at the same time: those that run, and those that wait to. */
    jobs: number;
    /** Sources that are scanned at the same time. */
    scans: number;
    /** Shards that one job may have on the queue and in workers' hands, and that may wait for workers, at most. */
    mostShards: number;
    /** Failures of a job that are named, and warnings; beyond, documents are counted only. */
    maxReports: number;
    /** Pause between two looks at what workers settled, in milliseconds. */
    pollMs: number;
    /** Of a share, of the room on the queue. */
    weightOf: (share: string) => number;
    /** After this long without a sign of life, another dispatcher takes over. */
    lockMs: number;
    /** Nobody is told of jobs' ends by default. */
    webhooks?: WebhookSender;
    hooks?: DispatcherHooks;
  };

export interface DispatcherHooks {
  onFinished?: (state: FinishedState) => void;
  /** One look at all jobs in hand. */
  onTurn?: (seconds: number) => void;
  /** Documents whose shard was given up. */
  onLost?: (documents: number) => void;
  /** Results were added to the progress of a tenant's job, or of nobody's. */
  onSettled?: (tenant: string | undefined, before: Progress, after: Progress) => void;
  /** Documents that were deleted because a snapshot lacks them, and their collection's dense model. */
  onGone?: (documents: number, model: string) => void;
}

/** A disk that is full or a Redis that is away is waited for; a defect of our own is not, forever. */
const MAX_INTERNAL_ERRORS = 20;

/** A source of so many bytes of NDJSON is scanned within some tens of milliseconds. */
const SMALL_BYTES = 1024 * 1024;
/** Of a dispatcher's lock, while it scans the job at one place. */
const MOST_LOSSES = 3;

/** What all jobs of a dispatcher share. */
interface InHand {
  turns: Turns;
  slots: ScanSlots;
  /** For the keys of a snapshot's documents, which one job at a time has in memory. */
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
      onError: (error) => options.log.warn({ err: error }, 'the dispatcher lost touch with the queue'),
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
      rival: await handle.rival(),
      mostShards: options.mostShards,
      reports: reportRoom(options.maxReports),
      log: options.log,
      loseShard: (shard) => loseShard(handle, shard, options),
      onFolded: foldedTeller(handle, options),
    });
    const ran = await runNoted(job, handle, inHand.turns, signal);
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
        options.log.warn({ err: error }, 'the job will be tried again');
        const text = `it waits, and goes on by itself: ${error.code}: ${error.message}`;
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

/**
 * Ends a job at whose source dispatchers die: each would take the next one with it. One that runs is not held to this,
 * for what it waits for is not in the dispatcher. Errors: `dispatcher_lost`.
 */
async function assertNotLosing(handle: IngestHandle): Promise<void> {
  const { record, lockLosses } = handle;
  if (record.state === 'running') return;
  const place = record.fetched === null ? 'source' : 'manifest';
  const { lostAt } = record;
  if (lostAt?.place !== place) {
    // The loss that led here, if there was one, was at this place.
    handle.record = { ...record, lostAt: { place, losses: Math.max(0, lockLosses - 1) } };
    await handle.save();
    return;
  }
  if (lockLosses - lostAt.losses < MOST_LOSSES) return;
  const message = `dispatchers died, or lost their lock, ${MOST_LOSSES} times while they read the job's ${place === 'source' ? 'source' : 'lines'}; it is not tried again: look into the API's log for why, and submit it in smaller parts`;
  throw new EmbedmillError('dispatcher_lost', message);
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
  } else await options.spool.keepRecord(handle.id, handle.record, 'finished');
  await leaveOrder(handle, options);
  await tidy(handle, options);
  return true;
}

/** Waits for its turn to be scanned, where it has not been, and is scanned. Undefined when it was cancelled meanwhile. */
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

/** Whether it is scanned at once, as far as can be told before. */
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

/** Folds until nothing is left to fold; shards still on the queue are waited for. */
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
  options.log.warn({ shard: shard.index }, 'workers died on a shard again and again');
  const text = `workers died on shard ${shard.index} again and again: its ${shard.range.documents} documents failed`;
  handle.note({ level: 'error', event: 'shard_lost', text });
  const message = 'workers died on its shard again and again; retry the job to try its documents once more';
  const input = { shard, code: 'worker_lost', message } as const;
  const result = await options.threads.run('failShard', input, { share: shard.tenant });
  options.hooks?.onLost?.(result.failed);
  return result;
}

/** Tells who counts, and a job's webhook once that many of its documents have failed; ends one of which more did than may. */
function foldedTeller(
  handle: IngestHandle,
  { webhooks, hooks }: DispatcherOptions,
): (before: Progress) => Promise<void> {
  let isTold = false;
  return async (before) => {
    hooks?.onSettled?.(handle.record.tenant, before, handle.record.progress);
    if (webhooks !== undefined) isTold ||= await tellFailures(handle, webhooks);
    const { maxFailures, progress } = handle.record;
    const tooMany = tooManyFailures(maxFailures, progress);
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
  // What was answered before it was cancelled is its client's.
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
  // Before anybody may see that it has ended: a Redis that forgets the end finds it here.
  await handle.assertHeld();
  await options.spool.keepRecord(handle.id, handle.record, 'finished');
  await handle.save();
  await tidy(handle, options);
  options.hooks?.onFinished?.(state);
  options.log.info({ state, ...progress }, 'the job has finished');
  handle.note(endNote(handle.record));
}

/** Shards that were under way together may have said more than their job may. */
async function cutReports({ id, record }: IngestHandle, options: DispatcherOptions): Promise<void> {
  const { reported } = record;
  const most = reportRoom(options.maxReports);
  if (reported === undefined) return;
  for (const kind of REPORT_KINDS)
    if (isBeyond(reported[kind], most)) await options.spool.cutReports(id, kind, most);
}

/** Where the job's collection was made anew meanwhile, removes what its workers may have written there before they saw it. */
async function takeBack({ id, record }: IngestHandle, { store, log }: DispatcherOptions): Promise<void> {
  const { collection, sequence } = record;
  if (collection.name === NO_COLLECTION) return;
  await store.takeBack(collection.name as CollectionName, sequence, collection).catch((error: unknown) => {
    log.warn({ err: error, job: id }, 'whether the collection of a job was made anew cannot be told now');
  });
}

/** What is left to do for a job that has finished. Its source is kept while failures may want to be tried again. */
async function tidy(handle: IngestHandle, { spool, webhooks }: DispatcherOptions): Promise<void> {
  const { id, record } = handle;
  if (webhooks !== undefined) await tellEnd(handle, webhooks);
  const source = sourceOf(record);
  if (record.progress.failed === 0 && source !== undefined) await spool.removeSource(source);
  // An upload in another format, or of many files, is not needed once it has been made into NDJSON.
  if (record.source.kind === 'encoded' || record.source.kind === 'files')
    for (const original of storedIn(record.source)) await spool.removeSource(original);
  if (record.sink !== undefined || record.dataset !== undefined) await spool.removeParts(id);
  if (record.mode === 'snapshot') await spool.removeKeys(id);
  if (record.gone !== undefined) await spool.removeSource(record.gone.list);
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

async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal });
}

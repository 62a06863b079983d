import { setTimeout } from 'node:timers/promises';
import {
  asEmbedmillError,
  EmbedmillError,
  encodingOf,
  formatOfMediaType,
  isFinished,
  NO_PROGRESS,
  type CollectionName,
  type JobState,
  type Shard,
  type ShardRange,
  type ShardResult,
  type SourceEncoding,
  type SourceRef,
  type StoredSource,
} from '@embedmill/jobs';
import { withLogFields } from '@embedmill/logs';
import {
  ADDED_AT_ONCE,
  consumeIngest,
  ShardBound,
  sourceOf,
  type IngestConsumer,
  type IngestHandle,
  type QueueOptions,
} from '@embedmill/queue';
import {
  failShard,
  fetchSource,
  readManifest,
  transcode,
  writeManifest,
  type OpenUrl,
} from '@embedmill/sources';
import { withAverageLength, type MeasuringParts } from './average-length.ts';
import { storedDocuments } from './stored-documents.ts';

/**
 * The one loop that moves jobs: it scans a job's source into a manifest, keeps a bounded number of its shards
 * on the queue, sums up what workers settled, and finishes when none is left.
 *
 * It is the only writer of a job's progress. Everything it knows is in the job's record, saved before it counts:
 * killed at any point, the next dispatcher goes on from there. Pause, cancel, fairness between jobs and a queue
 * that stays shallow all follow from the bound on outstanding shards.
 */
export type DispatcherOptions = QueueOptions &
  MeasuringParts & {
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
    maxSourceBytes: number;
    /** Fetches sources of URLs. */
    openUrl: OpenUrl;
    log: DispatcherLog;
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
/** How soon a job that is being scanned is cancelled. */
const CANCEL_LOOK_MS = 500;
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
  if (isFinished(handle.record.state)) return;
  try {
    const source = await scan(handle, options, signal);
    if (source === undefined) return await finish(handle, options, 'cancelled');
    await run(handle, options, { source, bound: boundOf(handle, options, bounds) }, signal);
  } catch (thrown) {
    const error = asEmbedmillError(thrown);
    const mayPass = error.retryable && (error.code !== 'internal' || handle.attempt < MAX_INTERNAL_ERRORS);
    if (signal.aborted || mayPass) {
      if (!signal.aborted) options.log.warn({ err: error }, 'the job will be tried again');
      throw error;
    }
    await handle.withdrawShards();
    await foldAll(handle, options);
    handle.record = { ...handle.record, error: { code: error.code, message: error.message } };
    await finish(handle, options, 'failed');
  }
}

/** Makes the manifest, unless an earlier dispatcher did. Undefined when the job was cancelled meanwhile. */
async function scan(
  handle: IngestHandle,
  options: DispatcherOptions,
  signal: AbortSignal,
): Promise<SourceRef | undefined> {
  const { record } = handle;
  if (record.state === 'running') return sourceOf(record);
  if (await handle.isCancelled()) return undefined;
  handle.record = { ...record, state: 'scanning', startedAt: record.startedAt ?? new Date().toISOString() };
  await handle.save();
  const { spool } = options;
  const scanned = await unlessCancelled(handle, signal, async (either) => {
    const source = sourceOf(record) ?? (await copySource(handle, options, either));
    const totals = await writeManifest(spool, handle.id, source, record.collection.profile, {
      ...{ signal: either, tenant: record.tenant },
    });
    return { source, totals };
  });
  if (scanned === undefined) return undefined;
  const { source, totals } = scanned;
  if (totals.documents === 0) {
    throw new EmbedmillError('source_unreadable', 'the source has no documents: every line is blank');
  }
  handle.record = {
    ...handle.record,
    collection: await withAverageLength(record.collection, { id: handle.id, source }, options),
    state: 'running',
    progress: { ...handle.record.progress, ...totals },
  };
  await handle.save();
  options.log.info({ ...totals }, 'the job is running');
  return source;
}

/** What the work gives; undefined when the job was cancelled meanwhile: a source may take as long as whoever serves it likes. */
async function unlessCancelled<T>(
  handle: IngestHandle,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const cancelled = new AbortController();
  const look = async (): Promise<void> => {
    // What keeps a look from succeeding keeps the work's next step from it, too, and is told there.
    if (await handle.isCancelled().catch(() => false)) cancelled.abort();
  };
  const looking = setInterval(() => void look(), CANCEL_LOOK_MS);
  try {
    return await work(AbortSignal.any([signal, cancelled.signal]));
  } catch (thrown) {
    if (cancelled.signal.aborted && !signal.aborted) return undefined;
    throw thrown;
  } finally {
    clearInterval(looking);
  }
}

/** Copies what shards cannot refer to where it is into the spool, as plain NDJSON. */
async function copySource(
  handle: IngestHandle,
  options: DispatcherOptions,
  signal: AbortSignal,
): Promise<SourceRef> {
  const { source, collection } = handle.record;
  const { spool, maxSourceBytes: maxBytes } = options;
  const fetched = await copy();
  handle.record = { ...handle.record, fetched };
  await handle.save();
  await removeOriginal(handle, options);
  return fetched;

  async function copy(): Promise<SourceRef> {
    switch (source.kind) {
      case 'url': {
        const { source: copied, mediaType = '' } = await fetchSource(spool, handle.id, source.url, {
          ...{ open: options.openUrl, maxBytes, signal },
        });
        const encoding = source.encoding ?? encodingOf({ format: formatOfMediaType(mediaType) });
        if (encoding === undefined) return copied;
        try {
          return await transcoded(copied, encoding);
        } finally {
          await spool.removeSource(copied);
        }
      }
      case 'encoded':
        return transcoded(source.source, source.encoding);
      case 'collection': {
        const lines = storedDocuments(options.store, collection.name as CollectionName, signal);
        const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };
        return (await options.spool.receive(handle.id, lines, unlimited)).source;
      }
      case 'file':
      case 's3':
      case 'inline':
        return source;
    }
  }

  async function transcoded(from: StoredSource, encoding: SourceEncoding): Promise<SourceRef> {
    const profile = collection.profile;
    return (await transcode(spool, handle.id, from, encoding, { profile, maxBytes, signal })).source;
  }
}

/** An upload in another format is not needed once it has been made into NDJSON. */
async function removeOriginal(
  { record: { source } }: IngestHandle,
  { spool }: DispatcherOptions,
): Promise<void> {
  if (source.kind === 'encoded') await spool.removeSource(source.source);
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
  { source, bound }: { source: SourceRef; bound: ShardBound },
  signal: AbortSignal,
): Promise<void> {
  const fold = () => handle.fold((shard) => loseShard(shard, options));
  await handle.findDispatched();
  while ((await fold()) > 0);
  const manifest = readManifest(options.spool, handle.id, handle.record.cursor.offset);
  let ahead = await manifest.next();
  let cancelled = false;
  let pauseMs = SHORT_PAUSE_MS / 2;
  try {
    for (;;) {
      signal.throwIfAborted();
      const startedAt = performance.now();
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
        if (index >= handle.record.dispatched) {
          await handle.addShard(shardOf(handle, source, index, range));
          outstanding += 1;
        }
        handle.record = {
          ...handle.record,
          cursor: { index: index + 1, offset: next, bytes: range.offset + range.length },
          dispatched: Math.max(handle.record.dispatched, index + 1),
        };
        ahead = await manifest.next();
      }
      const folded = await fold();
      if (folded === 0 && handle.record.cursor.index > before) await handle.save();
      options.hooks?.onTurn?.((performance.now() - startedAt) / 1000);
      const isEnding = cancelled || ahead.done === true;
      if (outstanding === 0 && isEnding) break;
      // Nobody shall wait long for a job that is as good as finished, nor Redis be asked in vain all the time.
      const isShort = isEnding ? folded > 0 : room === ADDED_AT_ONCE;
      if (isShort) pauseMs = SHORT_PAUSE_MS;
      else pauseMs = isEnding ? Math.min(options.pollMs, pauseMs * 2) : options.pollMs * jitter();
      await pause(pauseMs, signal);
    }
  } finally {
    await manifest.return(undefined);
  }
  await foldAll(handle, options);
  if (!cancelled) await assertWhole(handle);
  await finish(handle, options, cancelled ? 'cancelled' : 'completed');
}

/**
 * A broker that failed over to a replica has lost its last changes: shards may be gone, or come back after they were
 * counted. Then the job starts over; what is stored is recognised, and counted anew.
 */
async function assertWhole(handle: IngestHandle): Promise<void> {
  const { documents, shards, shardsDone } = handle.record.progress;
  if (shardsDone === shards) return;
  const progress = { ...NO_PROGRESS, documents, shards };
  handle.record = { ...handle.record, progress, cursor: { index: 0, offset: 0 }, dispatched: 0, folding: [] };
  await handle.save();
  throw new EmbedmillError('internal', `the queue settled ${shardsDone} of ${shards} shards: it starts over`);
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

/** The source is kept while failures may want to be tried again. */
async function finish(handle: IngestHandle, options: DispatcherOptions, state: FinishedState): Promise<void> {
  const { record } = handle;
  const { source, progress } = record;
  const spooled = sourceOf(record);
  const needed = progress.failed > 0;
  const kept = source.kind === 'inline' && !needed ? { ...source, lines: [] } : source;
  handle.record = { ...record, source: kept, state, finishedAt: new Date().toISOString() };
  await handle.save();
  if (!needed && spooled !== undefined) await options.spool.removeSource(spooled);
  await removeOriginal(handle, options);
  options.hooks?.onFinished?.(state);
  options.log.info({ state, ...progress }, 'the job has finished');
}

function shardOf(handle: IngestHandle, source: SourceRef, index: number, range: ShardRange): Shard {
  const { purpose, collection, tenant } = handle.record;
  return { job: handle.id, index, purpose, collection, tenant, source, range };
}

async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal });
}

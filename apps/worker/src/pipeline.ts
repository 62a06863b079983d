import {
  asEmbedmillError,
  chunkStructure,
  EmbedmillError,
  pointId,
  textAround,
  type Collection,
  type CollectionName,
  type JobId,
  type NoteJob,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import type { Metrics } from '@embedmill/metrics';
import { failShard, type Spool } from '@embedmill/sources';
import { NO_TRACING, type Tracing } from '@embedmill/tracing';
import type { DocumentPoints, Point, PointPayload, StoredPoint, VectorStore } from '@embedmill/vector-store';
import { countSettled } from './document-counts.ts';
import { excessOf } from './document-size.ts';
import { embedDocuments } from './document-vectors.ts';
import type { ShardModels } from './draft-vectors.ts';
import type { EmbeddedChunk } from './embedded-chunk.ts';
import { pictureReference, type PictureSources } from './document-pictures.ts';
import { batchShard } from './batch.ts';
import { compareShard } from './compare.ts';
import { datasetShard } from './dataset.ts';
import { embedShard } from './embed.ts';
import { exportShard } from './export.ts';
import type { EngineTime } from './engine-time.ts';
import { keyOf } from './document-key.ts';
import { migrateShard } from './migrate.ts';
import { noTwin, readOriginals, twinOf, twinPoints } from './twin.ts';
import { ShardReading, type PendingDocument } from './shard-reading.ts';
import { isSameContent, storedPoints } from './unchanged-vectors.ts';
import { stageMsOf, timedBy, type StageTimes, type Timed } from './stage-times.ts';
import { storeDocuments } from './upsert.ts';
import { StoredVectors } from './vector-hashes.ts';

/** What the pipeline of a shard uses. */
export interface PipelineParts {
  spool: Spool;
  store: VectorStore;
  metrics: Metrics<'worker'>;
  log: Log;
  /** The model of the shard's collection, loaded and warm, and others by name. */
  models: ShardModels;
  pictures: PictureSources;
  /** Ignored by default. */
  engineTime?: EngineTime;
  /** By default there is no span; otherwise the work runs in the shard's span. */
  tracing?: Tracing;
  /** Receives the time of the shard's stages; not measured by default. */
  stageTimes?: StageTimes;
}

/**
 * The pipeline of one shard: read → skip unchanged documents → chunk and tokenize → batch, infer, pool → upsert → settle.
 *
 * Every document ends as one of: stored, skipped, deleted (its line was a tombstone), duplicate, superseded (by a later
 * submission), failed (with its reason). Delivery is at least once and idempotent: nothing counts before the store has
 * acknowledged it, and processing a shard twice has the effect of processing it once. Transient errors (the store is
 * unavailable) are thrown, so that the shard is retried; on its last attempt, and on permanent errors, its documents
 * fail.
 */
export async function settleShard(
  shard: Shard,
  attempt: { lastAttempt: boolean; note?: NoteJob },
  parts: PipelineParts,
): Promise<ShardResult> {
  const { log, tracing = NO_TRACING } = parts;
  const stageTimes: StageTimes = new Map();
  const start = performance.now();
  tracing.annotate({ job: shard.job, shard: shard.index, documents: shard.range.documents });
  try {
    const worked = await workOn(shard, { ...parts, stageTimes });
    const result = { ...withEngineTime(worked, shard, parts), stageMs: stageMsOf(stageTimes) };
    tracing.annotate({ tokens: result.tokens, stored: result.stored, failed: result.failed });
    const ms = Math.round(performance.now() - start);
    log[result.failed > 0 ? 'info' : 'debug']({ ...result, ms }, 'the shard is settled');
    return result;
  } catch (thrown) {
    const error = asEmbedmillError(thrown);
    if (error.retryable && !attempt.lastAttempt) {
      // Only work that led to a result is counted.
      parts.engineTime?.take(shard.job, shard.index);
      parts.metrics.shards.add(1, { outcome: 'returned' });
      log.warn({ code: error.code, err: error }, 'the shard was returned to the queue to be retried');
      attempt.note?.({
        level: 'warn',
        event: 'shard_returned',
        text: `shard ${shard.index} (${shard.range.documents} documents) will be retried: ${error.code}: ${error.message}`,
      });
      throw error;
    }
    log.warn({ code: error.code, err: error }, 'the documents of the shard failed');
    const failed = await failShard(parts.spool, shard, error);
    const result = withEngineTime(failed, shard, parts);
    attempt.note?.({
      level: 'error',
      event: 'shard_failed',
      text: `${result.failed} documents of shard ${shard.index} failed: ${error.code}: ${error.message}`,
    });
    parts.metrics.failures.add(result.failed, { stage: 'settle', reason: error.code });
    countSettled(shard, result, parts.metrics);
    return result;
  }
}

function withEngineTime(
  result: ShardResult,
  { job, index }: Shard,
  { engineTime }: PipelineParts,
): ShardResult {
  return engineTime === undefined ? result : { ...result, engineMs: engineTime.take(job, index) };
}

/**
 * The collection as it is now: since the job was submitted, a migration may have begun, or been cut over. Documents get
 * the vectors that the collection has now, and wait for the models of these.
 */
async function asItIsNow(
  { collection: { name, createdAt } }: Shard,
  { store, models }: Pick<PipelineParts, 'store' | 'models'>,
): Promise<{ collection: Collection; models: ShardModels }> {
  const collection = await store.getCollection(name as CollectionName);
  if (collection === undefined)
    throw new EmbedmillError('collection_not_found', `the collection "${name}" has been deleted`);
  if (collection.createdAt !== createdAt) {
    const message = `the collection "${name}" was deleted and created again; submit the documents to the new one`;
    throw new EmbedmillError('collection_not_found', message);
  }
  const { model } = collection.profile;
  const own = model === models.own.name ? models.own : await models.get(model);
  return { collection, models: { ...models, own } };
}

async function workOn(shard: Shard, parts: PipelineParts): Promise<ShardResult> {
  const { reading, result } = await walkOf(shard.purpose)(shard, parts);
  // A dry run stores nothing.
  if (shard.purpose === 'compare') return result;
  for (const { stage, code } of reading.failed) parts.metrics.failures.add(1, { stage, reason: code });
  countSettled(shard, result, parts.metrics);
  return result;
}

function walkOf(purpose: Shard['purpose']) {
  switch (purpose) {
    case 'ingest':
    case 'copy':
      return walk;
    case 'compare':
      return compare;
    case 'migrate':
      return migrateShard;
    case 'export':
      return exportShard;
    case 'embed':
      return (shard: Shard, parts: PipelineParts) => embedShard(shard, parts, timedBy(parts));
    case 'batch':
      return (shard: Shard, parts: PipelineParts) => batchShard(shard, parts, timedBy(parts));
    case 'dataset':
      return (shard: Shard, parts: PipelineParts) => datasetShard(shard, parts, timedBy(parts));
  }
}

async function compare(shard: Shard, parts: PipelineParts): ReturnType<typeof compareShard> {
  const { collection, models } = await asItIsNow(shard, parts);
  return compareShard({ ...shard, collection }, { ...parts, models });
}

async function walk(
  submitted: Shard,
  parts: PipelineParts,
): Promise<{ reading: ShardReading; result: ShardResult }> {
  const { spool, store } = parts;
  const timed = timedBy(parts);
  const { collection, models } = await asItIsNow(submitted, parts);
  const twin = await twinOf(collection, store);
  const read = (of: Collection): Promise<ShardReading> =>
    timed('read', () => ShardReading.read(spool, { ...shard, collection: of }, models.own.revision));
  // A copied document may be older than one accepted for the collection itself, so unchanged documents are confirmed.
  const rival = twin === undefined ? submitted.rival : submitted.sequence;
  const shard: Shard = { ...submitted, collection, rival };
  const walked = { ...parts, models, timed };

  const reading = await read(collection);
  if (submitted.purpose === 'copy') {
    if (twin === undefined) throw noTwin(collection);
    const originals = await timed('lookup', () => readOriginals(reading.pending, twin, parts));
    reading.replaceBy(originals);
    await settleDocuments(reading, { shard, twin }, walked);
  } else {
    if (twin !== undefined) {
      const beside = await read(twin);
      // Only the collection itself knows what was decided before the twin existed, deletions above all.
      const keys = beside.pending.map(({ document }) => document);
      const name = collection.name as CollectionName;
      beside.yieldTo(await timed('lookup', () => store.findDocuments(name, keys)));
      await settleDocuments(beside, { shard: { ...shard, collection: twin }, twin: collection }, walked);
      reading.adopt(beside);
    }
    await settleDocuments(reading, { shard, twin }, walked);
  }
  const result = await timed('settle', () => reading.settle(spool));
  return { reading, result };
}

/** Settles the pending documents of the reading in the shard's collection: as stored, skipped, superseded or failed. */
async function settleDocuments(
  reading: ShardReading,
  { shard, twin }: { shard: Shard; twin: Collection | undefined },
  { store, models, pictures, timed }: PipelineParts & { timed: Timed },
): Promise<void> {
  const collection = shard.collection.name as CollectionName;
  if (reading.tombstones.length > 0) await timed('upsert', () => deleteDocuments(reading, shard, store));
  const wanted = await timed('lookup', () => passUnchanged(reading, shard, store));

  const stored = await timed('lookup', () => storedPoints(wanted, shard.collection, store));
  const beside = await timed('lookup', () => twinPoints(wanted, twin, store));
  const [same, changed] = bySameContent(wanted, stored, shard.collection);
  const documents = changed.map(({ document }) => document);
  const known = changed.map((one) => {
    const [own, others] = [stored.get(one), beside.get(one)];
    if (own === undefined && others === undefined) return undefined;
    const vectors = new StoredVectors().add(own ?? [], shard.collection);
    return twin === undefined ? vectors : vectors.add(others ?? [], twin);
  });
  const embedded = await embedDocuments(shard, documents, known, models, pictures, timed);

  const ready: (DocumentPoints & { pending: PendingDocument })[] = [];
  for (const pending of same) {
    const points = withPayloadOf(pending, stored.get(pending) ?? [], shard);
    const excess = excessOf(
      pending.document,
      points.map(({ payload }) => payload),
      shard.collection,
    );
    if (excess !== undefined) {
      reading.fail(pending, excess, 'upsert');
      continue;
    }
    const { tenant, id } = pending.document;
    reading.reused += points.length;
    ready.push({ tenant, id, sequence: pending.sequence, points, pending });
  }
  for (const [n, pending] of changed.entries()) {
    const outcome = embedded[n];
    if (outcome?.ok !== true) {
      const error = outcome?.error ?? asEmbedmillError(new RangeError('there is no outcome'));
      reading.fail(pending, error, 'infer');
      continue;
    }
    for (const warning of outcome.warnings) reading.warn(pending, warning);
    for (const { tokens, reused } of outcome.chunks) {
      reading.tokens += tokens;
      if (reused) reading.reused += 1;
    }
    const { tenant, id } = pending.document;
    const { sequence } = pending;
    ready.push({ tenant, id, sequence, points: pointsOf(pending, outcome.chunks, shard), pending });
  }

  await timed('upsert', () =>
    storeDocuments(store, collection, ready, shard.collection, {
      stored: ({ points }) => reading.store(points.length),
      superseded: () => reading.supersede(),
      refused: ({ pending }, error) => reading.fail(pending, error, 'upsert'),
    }),
  );
}

/** Deletes the documents whose lines are tombstones. */
async function deleteDocuments(
  reading: ShardReading,
  { collection, sequence }: Shard,
  store: VectorStore,
): Promise<void> {
  const name = collection.name as CollectionName;
  for (const [at, some] of Map.groupBy(reading.tombstones, (tombstone) => tombstone.sequence ?? sequence)) {
    const keys = some.map(({ tenant, id }) => ({ tenant, id }));
    const overtaken = await store.deleteDocuments(name, keys, at, collection);
    for (let n = 0; n < keys.length; n += 1) {
      if (n < overtaken.length) reading.supersede();
      else reading.delete();
    }
  }
}

/** Settles the documents that need no embedding; returns the others. */
async function passUnchanged(
  reading: ShardReading,
  shard: Shard,
  store: VectorStore,
): Promise<PendingDocument[]> {
  const name = shard.collection.name as CollectionName;
  const keys = reading.pending.map(({ document }) => document);
  const sorted = reading.sort(await store.findDocuments(name, keys));
  const { wanted, unchanged, contested, superseded } = sorted;
  for (const document of unchanged) reading.pass(document);
  if (contested.length > 0) {
    const changed = new Set<string>();
    for (const [sequence, some] of Map.groupBy(contested, ({ pending }) => pending.sequence)) {
      const versions = some.map(({ version }) => version);
      for (const { tenant, id } of await store.confirmDocuments(name, versions, sequence))
        changed.add(keyOf(tenant, id));
    }
    for (const document of contested) {
      const { tenant, id } = document.version;
      if (changed.has(keyOf(tenant, id))) wanted.push(document.pending);
      else reading.pass(document);
    }
  }
  if (superseded.length > 0) {
    for (const [sequence, some] of Map.groupBy(superseded, (one) => one.sequence)) {
      const overtaken = some.map(({ document }) => document);
      await store.removeOvertaken(name, overtaken, sequence);
    }
    for (let n = 0; n < superseded.length; n += 1) reading.supersede();
  }
  return wanted;
}

/** Separates documents that only need a new payload from those that must be embedded, at least in part. */
function bySameContent(
  wanted: readonly PendingDocument[],
  stored: ReadonlyMap<PendingDocument, StoredPoint[]>,
  collection: Collection,
): [same: PendingDocument[], changed: PendingDocument[]] {
  const isSame = (pending: PendingDocument): boolean => {
    const points = stored.get(pending);
    return points !== undefined && isSameContent(points, pending.content(), collection);
  };
  const { true: same = [], false: changed = [] } = Object.groupBy(wanted, (one) => `${isSame(one)}`);
  return [same, changed];
}

/** A document's points with the payload of its new version; their vectors, texts and positions stay the same. */
function withPayloadOf(
  { document, fingerprint, sequence }: PendingDocument,
  points: readonly StoredPoint[],
  { job }: Shard,
): Point[] {
  const { metadata, source = null } = document;
  return points.map(({ id, dense, other, tokens, sparse, payload }) => ({
    id,
    dense,
    other,
    tokens,
    sparse,
    payload: { ...payload, fingerprint, job_id: job as JobId, sequence, source, metadata },
  }));
}

function pointsOf(
  { document, fingerprint, content, sequence }: PendingDocument,
  chunks: EmbeddedChunk[],
  shard: Shard,
): Point[] {
  const { id, tenant, text, title, metadata, source } = document;
  const collection = shard.collection.name as CollectionName;
  const around = textAround(text, chunks);
  const image = pictureReference(document);
  const { chunking } = shard.collection.profile;
  const said = chunking.mode === 'tokens' ? chunking : undefined;
  return chunks.map((chunk, index) => {
    const { start, end, timestamp, dense, other, tokenVectors, sparse, hashes } = chunk;
    const payload: PointPayload = {
      document_id: id,
      tenant,
      chunk_index: index,
      chunk_count: chunks.length,
      text: text.slice(start, end),
      start,
      end,
      title: title ?? null,
      image,
      timestamp,
      fingerprint,
      content: content(),
      job_id: shard.job as JobId,
      sequence,
      metadata,
    };
    Object.assign(payload, around[index]);
    if (hashes !== undefined) payload.hashes = hashes;
    if (source !== undefined) payload.source = source;
    const structure = document.structure && chunkStructure(document.structure, chunk, said);
    if (structure !== undefined) payload.structure = structure;
    return {
      id: pointId(tenant, collection, id, index),
      dense,
      other,
      tokens: tokenVectors,
      sparse,
      payload,
    };
  });
}

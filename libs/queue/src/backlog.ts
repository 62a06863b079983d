import { isFinished, type SourceRef } from '@embedmill/jobs';
import { sourceOf, type IngestRecord } from './ingest-record.ts';

/**
 * The amount of pending work: the number by which worker pools are scaled, from the records of unfinished jobs. No document
 * is read for it, so tokens are an estimate:
 *
 *     unsettled bytes of the source × tokens per byte so far
 *
 * Settled bytes are those dispatched, minus the job's average shard for each outstanding shard. Tokens per byte are the
 * job's own, mixed with a constant that counts as if one shard had been settled at that rate. So a job that has just
 * begun, or has skipped everything so far, also has a rate, and no unfinished job counts as nothing.
 */

/** For a document's NDJSON line: English text has four or five characters per token. */
export const TOKENS_PER_BYTE = 0.25;
/** The weight of that constant in bytes, about one shard; also the size of a source whose size is unknown. */
const PRIOR_BYTES = 256 * 1024;
/** The cost of a document that is already stored, relative to one that is embedded. */
const LEAST_RATE = 1 / 16;
/** What a query counts until a worker claims it: about one or a few sentences. */
export const QUERY_TOKENS = 64;
/** After this long without a worker, a query on the queue was given up by its sender. */
export const QUERY_WAKES_MS = 120_000;

export interface Work {
  tokens: number;
  documents: number;
  shards: number;
}

export interface ModelBacklog extends Work {
  model: string;
}

/** Unsettled work, dispatched or not. While the queue is paused, `tokens` counts only queries, which keep running. */
export interface Backlog extends Work {
  paused: boolean;
  models: ModelBacklog[];
}

/** An unfinished job, which stands for `weight` jobs like it. */
export interface SampledJob {
  record: UnfinishedJob;
  weight: number;
}

export type UnfinishedJob = Pick<
  IngestRecord,
  'state' | 'progress' | 'cursor' | 'source' | 'fetched' | 'collection' | 'unscanned'
>;

/** The remaining work of a job. Documents and shards are 0 until its source has been scanned. */
export function workLeft(job: UnfinishedJob): Work {
  if (isFinished(job.state)) return { tokens: 0, documents: 0, shards: 0 };
  const { progress } = job;
  const documents = Math.max(0, progress.documents - progress.done);
  const shards = Math.max(0, progress.shards - progress.shardsDone);
  const isScanned = progress.shards > 0 && job.unscanned === undefined;
  if (isScanned && documents === 0) return { tokens: 0, documents, shards };
  const source = sourceOf(job);
  const bytes = source === undefined ? PRIOR_BYTES : sizeOf(source);
  const settled = settledBytes(job, bytes);
  const rate = tokensPerByte(progress.tokens, settled);
  const tokens = Math.ceil(Math.max(0, bytes - settled) * rate);
  return { tokens: Math.max(1, documents, tokens), documents, shards };
}

/** Estimated tokens of a shard of this size, as above. Skipping also takes time, so no shard counts as nothing. */
export function shardTokens(job: UnfinishedJob, bytes: number): number {
  const source = sourceOf(job);
  const settled = settledBytes(job, source === undefined ? 0 : sizeOf(source));
  const rate = Math.max(TOKENS_PER_BYTE * LEAST_RATE, tokensPerByte(job.progress.tokens, settled));
  return Math.max(1, Math.ceil(bytes * rate));
}

function settledBytes({ progress, cursor }: UnfinishedJob, bytes: number): number {
  const dispatched = cursor.bytes ?? (bytes * cursor.index) / Math.max(1, progress.shards);
  return cursor.index === 0 ? 0 : dispatched * Math.min(1, progress.shardsDone / cursor.index);
}

function tokensPerByte(tokens: number, settled: number): number {
  return (tokens + TOKENS_PER_BYTE * PRIOR_BYTES) / (settled + PRIOR_BYTES);
}

/**
 * The sum by model.
 *
 * @param queries on the queue, by model; models without any work are named here too
 */
export function backlogOf(
  jobs: readonly SampledJob[],
  queries: ReadonlyMap<string, number>,
  paused: boolean,
): Backlog {
  const models = new Map<string, Work>();
  for (const [model, count] of queries)
    models.set(model, { tokens: count * QUERY_TOKENS, documents: 0, shards: 0 });
  for (const { record, weight } of jobs) {
    const { model } = record.collection.profile;
    const left = workLeft(record);
    const before = models.get(model) ?? { tokens: 0, documents: 0, shards: 0 };
    models.set(model, {
      tokens: before.tokens + (paused ? 0 : Math.ceil(weight * left.tokens)),
      documents: before.documents + Math.ceil(weight * left.documents),
      shards: before.shards + Math.ceil(weight * left.shards),
    });
  }
  const byModel = [...models].map(([model, work]) => ({ model, ...work }));
  return { ...sumOf(byModel), paused, models: byModel.sort((a, b) => (a.model < b.model ? -1 : 1)) };
}

/** The part of one model: zero if nobody uses the model, so that its pool always has a number. */
export function backlogOfModel({ paused, models }: Backlog, model: string): Backlog {
  const own = models.find((one) => one.model === model) ?? { model, tokens: 0, documents: 0, shards: 0 };
  return { ...sumOf([own]), paused, models: [own] };
}

function sumOf(parts: readonly Work[]): Work {
  const sum = { tokens: 0, documents: 0, shards: 0 };
  for (const { tokens, documents, shards } of parts) {
    sum.tokens += tokens;
    sum.documents += documents;
    sum.shards += shards;
  }
  return sum;
}

function sizeOf(source: SourceRef): number {
  switch (source.kind) {
    case 'file':
    case 's3':
      return source.size;
    case 'inline':
      return source.lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
  }
}

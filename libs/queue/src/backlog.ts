import { isFinished, type SourceRef } from '@embedmill/jobs';
import { sourceOf, type IngestRecord } from './ingest-record.ts';

/**
 * How much there is to do: the one number that pools of workers are scaled by, from what the records of unfinished jobs
 * say. No document is read for it, so tokens are an estimate:
 *
 *     bytes of the source that are not settled × tokens per byte so far
 *
 * Bytes settled are those dispatched, less the job's average shard for each shard that is out. Tokens per byte are the
 * job's own, mixed with a constant that counts as if one shard had been settled at that rate: so a job that has just
 * begun, or has skipped all it has seen, has a rate too, and no unfinished job counts for nothing.
 */

/** Of a document's line of NDJSON: English text has four or five characters a token. */
export const TOKENS_PER_BYTE = 0.25;
/** How many bytes that constant weighs, which is about one shard; also what a source counts whose size is not known yet. */
const PRIOR_BYTES = 256 * 1024;
/** What a document that is stored already takes, beside one that is embedded. */
const LEAST_RATE = 1 / 16;
/** What a query counts until a worker takes it: about a sentence, or a few. */
export const QUERY_TOKENS = 64;
/** After this long without a worker, a query that still lies on the queue was given up by who asked it. */
export const QUERY_WAKES_MS = 120_000;

export interface Work {
  tokens: number;
  documents: number;
  shards: number;
}

export interface ModelBacklog extends Work {
  model: string;
}

/** Work not settled, dispatched or not. While the queue is paused `tokens` are those of queries alone, which go on. */
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
  'state' | 'progress' | 'cursor' | 'source' | 'fetched' | 'collection'
>;

/** What is left of a job. Documents and shards are 0 until its source has been scanned. */
export function workLeft(job: UnfinishedJob): Work {
  if (isFinished(job.state)) return { tokens: 0, documents: 0, shards: 0 };
  const { progress } = job;
  const documents = Math.max(0, progress.documents - progress.done);
  const shards = Math.max(0, progress.shards - progress.shardsDone);
  const isScanned = progress.shards > 0;
  if (isScanned && documents === 0) return { tokens: 0, documents, shards };
  const source = sourceOf(job);
  const bytes = source === undefined ? PRIOR_BYTES : sizeOf(source);
  const settled = settledBytes(job, bytes);
  const rate = tokensPerByte(progress.tokens, settled);
  const tokens = Math.ceil(Math.max(0, bytes - settled) * rate);
  return { tokens: Math.max(1, documents, tokens), documents, shards };
}

/** Tokens of a shard of so many bytes, estimated as above. What is skipped takes time as well, so no shard counts for nothing. */
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
 * The sum of it, by model.
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

/** One model's part of it: nothing where nobody uses the model, so that its pool has a number all the same. */
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

import { z } from 'zod';
import {
  batchSchema,
  datasetJobSchema,
  definitionSchema,
  filterSchema,
  isFinished,
  jobReportsSchema,
  jobStateSchema,
  maxFailuresSchema,
  NO_PROGRESS,
  parseKept,
  prioritySchema,
  progressSchema,
  purposeSchema,
  sequenceSchema,
  sinkSchema,
  jobModeSchema,
  sourceEncodingSchema,
  sourceNameSchema,
  sourceRefSchema,
  storedSourceSchema,
  tenantSchema,
  usageAmountsSchema,
  webhookSchema,
  type Batch,
  type Collection,
  type DailyUsage,
  type DatasetJob,
  type Filter,
  type Job,
  type JobId,
  type JobReports,
  type JobState,
  type MaxFailures,
  type Priority,
  type Progress,
  type Shard,
  type Sink,
  type SnapshotOptions,
  type SourceEncoding,
  type SourceRef,
  type StoredSource,
  type TenantId,
  type Webhook,
} from '@embedmill/jobs';
import type { SettledShards } from './settled-shards.ts';

/**
 * A source as submitted: one that shards can refer to, or what the dispatcher copies first, as plain NDJSON: a
 * source in another format, the content of a URL, or the documents that the collection has.
 */
export type JobSource =
  | SourceRef
  | { kind: 'encoded'; source: StoredSource; encoding: SourceEncoding }
  /** Many files: where each of them lies is in `list`, in `packed` those that were uploaded, one behind another. */
  | {
      kind: 'files';
      list: StoredSource;
      packed?: StoredSource | undefined;
      /** Of all of them; undefined where some lie at URLs, and are copied first. */
      bytes?: number | undefined;
    }
  /** Without an encoding, what the URL's answer says of it counts. */
  | { kind: 'url'; url: string; encoding?: SourceEncoding | undefined }
  | {
      kind: 'collection';
      /** Which documents; all by default. */
      filter?: Filter | undefined;
      tenant?: TenantId | undefined;
    }
  /** A client's file of requests, which stays the client's, and how they are read. */
  | { kind: 'batch'; source: StoredSource; reading: BatchReading }
  /** A client's dataset, which stays the client's, and how its rows are read. */
  | { kind: 'dataset'; source: StoredSource; reading: DatasetReading };

const batchReadingSchema = z.strictObject({
  dims: z.int(),
  matryoshka: z.array(z.int()),
  prompts: z.record(z.string(), z.string()),
  instructionPrefix: z.string().optional(),
  encoding: z.string().optional(),
  tokenIds: z.enum(['refused', 'model']),
});
/** What the bodies of a batch's requests are checked by: the model's sizes and prompts, and what token ids are. */
export type BatchReading = z.infer<typeof batchReadingSchema>;

const datasetReadingSchema = z.strictObject({
  format: z.enum(['ndjson', 'csv']),
  delimiter: z.string().optional(),
  required: z.array(z.string()),
  optional: z.array(z.string()),
  skipMalformed: z.boolean(),
});
/** How the rows of a dataset are read: what is kept of each beside its text, and whether one may be left out. */
export type DatasetReading = z.infer<typeof datasetReadingSchema>;

export interface BatchFiles {
  output: string | null;
  errors: string | null;
}

export interface GoneDocuments {
  list: StoredSource;
  gone: number;
  documents: number;
}

export interface NewJob extends SnapshotOptions {
  id: JobId;
  purpose: Shard['purpose'];
  collection: Collection;
  /** The only tenant whose documents may come; none: each document names its own. */
  tenant?: TenantId | undefined;
  source: JobSource;
  /** What the job's `source` shows: `upload`, `inline`, `collection`, a path or a URL. */
  label: string;
  /** Where it stands among its share's other jobs; `normal` in records of earlier versions. */
  priority?: Priority | undefined;
  /** The name of the key that submitted it, for jobs of no tenant; none where no keys are set. */
  key?: string | undefined;
  /** Of the request's body, so that a repeated Idempotency-Key can be told from a misused one. */
  digest: string;
  retryOf: JobId | null;
  /** Of a document's metadata, at most. */
  metadataBytes?: number | undefined;
  /** How many documents may fail; any number by default. */
  maxFailures?: MaxFailures | undefined;
  /** Whom to tell of its end. */
  webhook?: Webhook | undefined;
  /** Of what goes to a file. */
  sink?: Sink | undefined;
  /** Of an OpenAI batch. */
  batch?: Batch | undefined;
  /** Of a Cohere embed job. */
  dataset?: DatasetJob | undefined;
  /** Of a deletion by a filter, once it has looked, and of its retry: tombstones have sequences of their own. */
  sequenced?: boolean | undefined;
  /** Of a retry and a verification: that of the job which they repeat. Any other job gets the next one. */
  sequence?: number | undefined;
}

/** What the ingest job keeps in Redis. Written when it is submitted, and from then on by its dispatcher only. */
export interface IngestRecord extends NewJob {
  sequence: number;
  /** Tells two submissions apart that came with the same id. */
  submission: string;
  state: JobState;
  progress: Progress;
  /** Where the source was copied to, once it was. */
  fetched: SourceRef | null;
  /** Its file, once it is whole. */
  output?: StoredSource | undefined;
  /** Of a batch: the files that its lines went to, once they are whole; null where there are none. */
  batchFiles?: BatchFiles | undefined;
  /** Of a snapshot: lines of which nobody can tell what document they are, as its scan found them. */
  unnamed?: number | undefined;
  /** Of a snapshot: the tombstones of the documents that it lacks, of so many, and of all that its source has. */
  gone?: GoneDocuments | undefined;
  /**
   * How far documents that later deletions are for were counted as superseded, before they were deleted: up to this shard
   * for this deletion, or, where one is behind the last, all; 0 stands for all deletions by a filter.
   */
  yielded?: { to: number; shards: number } | undefined;
  /**
   * The next shard of the manifest to look at, where it stands there, and how many bytes of the source are before it,
   * which records of earlier versions do not say.
   */
  cursor: { index: number; offset: number; bytes?: number | undefined };
  /** Shards whose results are in `progress`: a result that comes again, also after Redis lost some, is passed over. */
  settled: SettledShards;
  /** What it has used so far: in the same write as `progress`, so that the two always agree. */
  usage?: DailyUsage | undefined;
  /** How long its shards were in each stage of the walk, in milliseconds, all together. */
  stageMs?: Readonly<Record<string, number>> | undefined;
  /** What its shards said of single documents, as far as they are in `progress`. */
  reported?: JobReports | undefined;
  /** Where it was when its dispatcher's lock had been lost so often, while its source was being scanned. */
  lostAt?: { place: string; losses: number } | undefined;
  error: { code: string; message: string } | null;
  startedAt: string | null;
  finishedAt: string | null;
}

export function newRecord(job: NewJob, submission: string, sequence: number): IngestRecord {
  return {
    ...job,
    sequence,
    submission,
    state: 'queued',
    progress: NO_PROGRESS,
    fetched: null,
    cursor: { index: 0, offset: 0, bytes: 0 },
    settled: [],
    error: null,
    startedAt: null,
    finishedAt: null,
  };
}

const id = z.string().transform((value) => value as JobId);
export const recordSchema = z.strictObject({
  id,
  purpose: purposeSchema,
  collection: definitionSchema,
  tenant: tenantSchema.optional(),
  source: z.union([
    sourceRefSchema,
    z.strictObject({
      kind: z.literal('encoded'),
      source: storedSourceSchema,
      encoding: sourceEncodingSchema,
    }),
    z.strictObject({
      kind: z.literal('files'),
      list: storedSourceSchema,
      packed: storedSourceSchema.optional(),
      bytes: z.int().optional(),
    }),
    z.strictObject({ kind: z.literal('url'), url: z.string(), encoding: sourceEncodingSchema.optional() }),
    z.strictObject({
      kind: z.literal('collection'),
      filter: filterSchema.optional(),
      tenant: tenantSchema.optional(),
    }),
    z.strictObject({ kind: z.literal('batch'), source: storedSourceSchema, reading: batchReadingSchema }),
    z.strictObject({ kind: z.literal('dataset'), source: storedSourceSchema, reading: datasetReadingSchema }),
  ]),
  label: z.string(),
  priority: prioritySchema.optional(),
  key: z.string().optional(),
  digest: z.string(),
  retryOf: id.nullable(),
  webhook: webhookSchema.optional(),
  metadataBytes: z.int().optional(),
  maxFailures: maxFailuresSchema.optional(),
  lostAt: z.strictObject({ place: z.string(), losses: z.int() }).optional(),
  sink: sinkSchema.optional(),
  batch: batchSchema.optional(),
  dataset: datasetJobSchema.optional(),
  mode: jobModeSchema.optional(),
  sourceName: sourceNameSchema.optional(),
  // Checked when it was submitted.
  maxDeleted: z.number().optional(),
  unnamed: z.int().optional(),
  sequenced: z.boolean().optional(),
  yielded: z.strictObject({ to: z.int(), shards: z.int() }).optional(),
  gone: z.strictObject({ list: storedSourceSchema, gone: z.int(), documents: z.int() }).optional(),
  sequence: sequenceSchema,
  submission: z.string(),
  state: jobStateSchema,
  progress: progressSchema,
  fetched: sourceRefSchema.nullable(),
  output: storedSourceSchema.optional(),
  batchFiles: z.strictObject({ output: z.string().nullable(), errors: z.string().nullable() }).optional(),
  cursor: z.strictObject({ index: z.int(), offset: z.int(), bytes: z.int().optional() }),
  settled: z.array(z.tuple([z.int(), z.int()])),
  usage: z.record(z.string(), usageAmountsSchema).optional(),
  stageMs: z.record(z.string(), z.int()).optional(),
  reported: jobReportsSchema.optional(),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
});

/** A record as it was kept outside of the queue; throws where it is none. */
export function parseRecord(value: unknown): IngestRecord {
  return parseKept(recordSchema, value);
}

/** What tells a submission from all others, in sets of them. */
export function submissionKey({ id: job, submission }: Pick<IngestRecord, 'id' | 'submission'>): string {
  return `${job} ${submission}`;
}

/** A record as the queue has it: one of an earlier version lacks what came later. */
export function wholeRecord(record: IngestRecord): IngestRecord {
  const { sequence = 0, progress } = record as Partial<IngestRecord>;
  return { ...record, sequence, progress: { ...NO_PROGRESS, ...progress } };
}

const PAUSED = { code: 'queue_paused', message: 'the queue is paused; "embedmill resume" resumes it' };

/** A job as the API shows it; `hold` is what keeps unfinished jobs from going on. */
export function viewOf(
  submitted: IngestRecord,
  createdAt: number,
  hold: { paused?: boolean; trouble?: Job['waitingFor'] } = {},
  now = Date.now(),
): Job {
  const record = wholeRecord(submitted);
  const isOver = isFinished(record.state);
  const paused = !isOver && hold.paused === true;
  const started = record.startedAt === null ? undefined : Date.parse(record.startedAt);
  const ended = record.finishedAt === null ? now : Date.parse(record.finishedAt);
  return {
    id: record.id,
    collection: record.collection.name,
    sequence: record.sequence,
    state: record.state,
    source: record.label,
    mode: record.mode ?? 'upsert',
    dryRun: record.purpose === 'compare',
    sourceName: record.sourceName ?? null,
    priority: record.priority ?? 'normal',
    ...(record.tenant !== undefined && { tenant: record.tenant }),
    retryOf: record.retryOf,
    ...record.progress,
    webhook: record.webhook === undefined ? null : record.webhook.url,
    output: outputOf(record),
    error: record.error,
    paused,
    waitingFor: paused ? PAUSED : isOver ? null : (hold.trouble ?? null),
    createdAt: new Date(createdAt).toISOString(),
    startedAt: record.startedAt,
    finishedAt: isOver ? record.finishedAt : null,
    seconds: started === undefined ? 0 : Math.max(0, ended - started) / 1000,
  };
}

function outputOf({ sink, output }: IngestRecord): Job['output'] {
  if (sink === undefined || output === undefined) return null;
  return { format: sink.format, bytes: output.size, to: sink.to ?? null };
}

/** Whose room on the queue a job takes: its tenant's, else the key's that submitted it, else everybody's. */
export function shareOf({ tenant, key }: Pick<IngestRecord, 'tenant' | 'key'>): string {
  if (tenant !== undefined) return `tenant:${tenant}`;
  return key === undefined ? '' : `key:${key}`;
}

/** What shards refer to; undefined while it has not been copied. */
export function sourceOf(record: Pick<IngestRecord, 'source' | 'fetched'>): SourceRef | undefined {
  const { source, fetched } = record;
  switch (source.kind) {
    case 'url':
    case 'collection':
    case 'encoded':
    case 'files':
    case 'batch':
    case 'dataset':
      return fetched ?? undefined;
    case 'file':
    case 's3':
    case 'inline':
      return source;
  }
}

/** What a source is made of that lies somewhere. */
export function storedIn(source: JobSource): StoredSource[] {
  switch (source.kind) {
    case 'file':
    case 's3':
      return [source];
    case 'encoded':
      return [source.source];
    case 'files':
      return source.packed === undefined ? [source.list] : [source.list, source.packed];
    case 'inline':
    case 'url':
    case 'collection':
    case 'batch':
    case 'dataset':
      return [];
  }
}

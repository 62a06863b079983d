import { z } from 'zod';
import {
  batchSchema,
  datasetJobSchema,
  definitionSchema,
  filterSchema,
  jobReportsSchema,
  jobStateSchema,
  maxFailuresSchema,
  NO_PROGRESS,
  parseKept,
  prioritySchema,
  progressSchema,
  purposeSchema,
  sectionSchema,
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
  type JobId,
  type JobReports,
  type JobState,
  type MaxFailures,
  type Priority,
  type Progress,
  type SourceSection,
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
 * A source as submitted: one that shards can refer to, or one that the dispatcher first copies as plain NDJSON (a
 * source in another format, the content of a URL, or a collection's own documents).
 */
export type JobSource =
  | SourceRef
  | { kind: 'encoded'; source: StoredSource; encoding: SourceEncoding }
  /** Many files: `list` has the location of each, and `packed` holds the uploaded ones, concatenated. */
  | {
      kind: 'files';
      list: StoredSource;
      packed?: StoredSource | undefined;
      /** The total size; undefined if some are at URLs and are copied first. */
      bytes?: number | undefined;
    }
  /** Without an encoding, the URL's response determines it. */
  | { kind: 'url'; url: string; encoding?: SourceEncoding | undefined }
  | {
      kind: 'collection';
      /** The documents to include; all by default. */
      filter?: Filter | undefined;
      tenant?: TenantId | undefined;
    }
  /** A client's file of requests, which still belongs to the client, and how to read it. */
  | { kind: 'batch'; source: StoredSource; reading: BatchReading }
  /** A client's dataset, which still belongs to the client, and how to read its rows. */
  | { kind: 'dataset'; source: StoredSource; reading: DatasetReading };

const batchReadingSchema = z.strictObject({
  dims: z.int(),
  matryoshka: z.array(z.int()),
  prompts: z.record(z.string(), z.string()),
  instructionPrefix: z.string().optional(),
  encoding: z.string().optional(),
  tokenIds: z.enum(['refused', 'model']),
});
/**
 * The data for checking the bodies of a batch's requests: the model's sizes and prompts, and the range of token ids.
 */
export type BatchReading = z.infer<typeof batchReadingSchema>;

const datasetReadingSchema = z.strictObject({
  format: z.enum(['ndjson', 'csv']),
  delimiter: z.string().optional(),
  required: z.array(z.string()),
  optional: z.array(z.string()),
  skipMalformed: z.boolean(),
});
/**
 * How the rows of a dataset are read: which fields are kept in addition to the text, and whether a row may be left out.
 */
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
  /** The only tenant whose documents are accepted; undefined: each document names its own. */
  tenant?: TenantId | undefined;
  source: JobSource;
  /** The job's `source` as shown: `upload`, `inline`, `collection`, a path or a URL. */
  label: string;
  /** Its priority among its share's jobs; `normal` in records of earlier versions. */
  priority?: Priority | undefined;
  /** The name of the key that submitted it, for jobs without a tenant; undefined if no keys are configured. */
  key?: string | undefined;
  /** A digest of the request's body, to distinguish a repeated Idempotency-Key from a misused one. */
  digest: string;
  retryOf: JobId | null;
  /** The limit of a document's metadata in bytes. */
  metadataBytes?: number | undefined;
  /** How many documents may fail; any number by default. */
  maxFailures?: MaxFailures | undefined;
  /** The receiver to notify of its end. */
  webhook?: Webhook | undefined;
  /** The file to write to, if any. */
  sink?: Sink | undefined;
  /** For an OpenAI batch. */
  batch?: Batch | undefined;
  /** For a Cohere embed job. */
  dataset?: DatasetJob | undefined;
  /** For a deletion by filter, once it has searched, and its retry: tombstones have their own sequences. */
  sequenced?: boolean | undefined;
  /** For a retry and a verification, the sequence of the job that they repeat. Any other job gets the next one. */
  sequence?: number | undefined;
  /** Of its source, if it has several: each has a sequence of its own, so whoever reads the record has to know them. */
  sections?: readonly SourceSection[] | undefined;
}

/** An ingest job's data on the queue. Written at its submission, and from then on only by its dispatcher. */
export interface IngestRecord extends NewJob {
  sequence: number;
  /** Distinguishes two submissions with the same id. */
  submission: string;
  state: JobState;
  progress: Progress;
  /** The copied source, once it exists. */
  fetched: SourceRef | null;
  /** Its file, once complete. */
  output?: StoredSource | undefined;
  /** For a batch: the files of its lines, once complete; null for a file without lines. */
  batchFiles?: BatchFiles | undefined;
  /** For a snapshot: the lines found by its scan whose document cannot be identified. */
  unnamed?: number | undefined;
  /**
   * For a snapshot: the tombstones of the documents that it lacks, their number, and the number of all documents of its
   * source.
   */
  gone?: GoneDocuments | undefined;
  /**
   * How far documents affected by later deletions were counted as superseded before the deletion: for each deletion the
   * next shard to count, which is after the last once all were counted. 0 stands for all deletions by filter.
   */
  yielded?: { to: number; shards: number } | undefined;
  /**
   * The cursor: the next shard, its position in the manifest, and the bytes of the source before it (missing in records
   * of earlier versions). The position is in the manifest's file for this section, the first one by default.
   */
  cursor: { index: number; offset: number; bytes?: number | undefined; section?: number | undefined };
  /** The shards whose results are in `progress`. A repeated result, even after Redis lost data, is ignored. */
  settled: SettledShards;
  /** Its usage so far, written together with `progress`, so that the two always agree. */
  usage?: DailyUsage | undefined;
  /** The total time of its shards in each stage of the pipeline, in milliseconds. */
  stageMs?: Readonly<Record<string, number>> | undefined;
  /** The reports on single documents, from the shards that are in `progress`. */
  reported?: JobReports | undefined;
  /**
   * For a source with sections, the first section that is not in the manifest yet, and where it begins. Missing once all are,
   * and before the first one is. Until then, `progress` has the documents so far, and one more shard than those so far, which
   * stands for the rest.
   */
  unscanned?: { section: number; offset: number; line: number } | undefined;
  /** The fields that an earlier version must understand to read the record (kept.ts). */
  needs?: string[] | undefined;
  /** How often its dispatcher had lost the lock, and how far it was then, while its source was being scanned. */
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
    ...(job.sections !== undefined && { needs: ['sections'] }),
  };
}

/** How many sections of a running job's source are in its manifest. */
export function scannedSections({
  sections,
  unscanned,
}: Pick<IngestRecord, 'sections' | 'unscanned'>): number {
  return unscanned?.section ?? sections?.length ?? 1;
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
  // Was validated at its submission.
  maxDeleted: z.number().optional(),
  unnamed: z.int().optional(),
  sequenced: z.boolean().optional(),
  sections: z.array(sectionSchema).optional(),
  unscanned: z.strictObject({ section: z.int(), offset: z.int(), line: z.int() }).optional(),
  needs: z.array(z.string()).optional(),
  yielded: z.strictObject({ to: z.int(), shards: z.int() }).optional(),
  gone: z.strictObject({ list: storedSourceSchema, gone: z.int(), documents: z.int() }).optional(),
  sequence: sequenceSchema,
  submission: z.string(),
  state: jobStateSchema,
  progress: progressSchema,
  fetched: sourceRefSchema.nullable(),
  output: storedSourceSchema.optional(),
  batchFiles: z.strictObject({ output: z.string().nullable(), errors: z.string().nullable() }).optional(),
  cursor: z.strictObject({
    index: z.int(),
    offset: z.int(),
    bytes: z.int().optional(),
    section: z.int().optional(),
  }),
  settled: z.array(z.tuple([z.int(), z.int()])),
  usage: z.record(z.string(), usageAmountsSchema).optional(),
  stageMs: z.record(z.string(), z.int()).optional(),
  reported: jobReportsSchema.optional(),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
});

/** A record that was stored outside the queue; throws if it is invalid. */
export function parseRecord(value: unknown): IngestRecord {
  return parseKept(recordSchema, value);
}

/** The unique key of a submission, for sets. */
export function submissionKey({ id: job, submission }: Pick<IngestRecord, 'id' | 'submission'>): string {
  return `${job} ${submission}`;
}

/** A record from the queue; one of an earlier version lacks later fields. */
export function wholeRecord(record: IngestRecord): IngestRecord {
  const { sequence = 0, progress } = record as Partial<IngestRecord>;
  return { ...record, sequence, progress: { ...NO_PROGRESS, ...progress } };
}

/**
 * The share whose room on the queue a job takes: that of its tenant, else of the key that submitted it, else the common
 * one.
 */
export function shareOf({ tenant, key }: Pick<IngestRecord, 'tenant' | 'key'>): string {
  if (tenant !== undefined) return `tenant:${tenant}`;
  return key === undefined ? '' : `key:${key}`;
}

/** The source that shards refer to; undefined until it has been copied. */
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

/** The source of a file or object. */
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

import { randomUUID } from 'node:crypto';
import {
  isFinished,
  NO_PROGRESS,
  type Collection,
  type Job,
  type JobId,
  type JobState,
  type Progress,
  type Shard,
  type SourceEncoding,
  type SourceRef,
  type StoredSource,
  type TenantId,
} from '@embedmill/jobs';

/**
 * A source as submitted: one that shards can refer to, or what the dispatcher copies first, as plain NDJSON: a
 * source in another format, the content of a URL, or the documents that the collection has.
 */
export type JobSource =
  | SourceRef
  | { kind: 'encoded'; source: StoredSource; encoding: SourceEncoding }
  /** Without an encoding, what the URL's answer says of it counts. */
  | { kind: 'url'; url: string; encoding?: SourceEncoding | undefined }
  | { kind: 'collection' };

export interface NewJob {
  id: JobId;
  purpose: Shard['purpose'];
  collection: Collection;
  /** The only tenant whose documents may come; none: each document names its own. */
  tenant?: TenantId | undefined;
  source: JobSource;
  /** What the job's `source` shows: `upload`, `inline`, `collection`, a path or a URL. */
  label: string;
  /** Of the request's body, so that a repeated Idempotency-Key can be told from a misused one. */
  digest: string;
  retryOf: JobId | null;
}

/** What the ingest job keeps in Redis. Written when it is submitted, and from then on by its dispatcher only. */
export interface IngestRecord extends NewJob {
  /** Tells two submissions apart that came with the same id. */
  submission: string;
  state: JobState;
  progress: Progress;
  /** Where the source was copied to, once it was. */
  fetched: SourceRef | null;
  /**
   * The next shard of the manifest to look at, where it stands there, and how many bytes of the source are before it,
   * which records of earlier versions do not say.
   */
  cursor: { index: number; offset: number; bytes?: number | undefined };
  /** All shards before this one have been added, as far as is known; never less than the cursor's index. */
  dispatched: number;
  /** Shards whose results are in `progress` but may still be in Redis. */
  folding: string[];
  error: { code: string; message: string } | null;
  startedAt: string | null;
  finishedAt: string | null;
}

export function newRecord(job: NewJob): IngestRecord {
  return {
    ...job,
    submission: randomUUID(),
    state: 'queued',
    progress: NO_PROGRESS,
    fetched: null,
    cursor: { index: 0, offset: 0, bytes: 0 },
    dispatched: 0,
    folding: [],
    error: null,
    startedAt: null,
    finishedAt: null,
  };
}

const PAUSED = { code: 'queue_paused', message: 'the queue is paused; "embedmill resume" lets it go on' };

/** The job as the API shows it; `hold` is what keeps unfinished jobs from going on. */
export function viewOf(
  record: IngestRecord,
  createdAt: number,
  hold: { paused?: boolean; trouble?: Job['waitingFor'] } = {},
  now = Date.now(),
): Job {
  const isOver = isFinished(record.state);
  const paused = !isOver && hold.paused === true;
  const started = record.startedAt === null ? undefined : Date.parse(record.startedAt);
  const ended = record.finishedAt === null ? now : Date.parse(record.finishedAt);
  return {
    id: record.id,
    collection: record.collection.name,
    state: record.state,
    source: record.label,
    ...(record.tenant !== undefined && { tenant: record.tenant }),
    retryOf: record.retryOf,
    ...record.progress,
    error: record.error,
    paused,
    waitingFor: paused ? PAUSED : isOver ? null : (hold.trouble ?? null),
    createdAt: new Date(createdAt).toISOString(),
    startedAt: record.startedAt,
    finishedAt: isOver ? record.finishedAt : null,
    seconds: started === undefined ? 0 : Math.max(0, ended - started) / 1000,
  };
}

/** What shards refer to; undefined while it has not been copied. */
export function sourceOf(record: Pick<IngestRecord, 'source' | 'fetched'>): SourceRef | undefined {
  const { source, fetched } = record;
  switch (source.kind) {
    case 'url':
    case 'collection':
    case 'encoded':
      return fetched ?? undefined;
    case 'file':
    case 's3':
    case 'inline':
      return source;
  }
}

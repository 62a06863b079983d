import type { Job as BullJob, Queue as BullQueue } from 'bullmq';
import type { Job, JobId, JobState } from '@embedmill/jobs';
import { UNCLAIMED } from './bull-queues.ts';
import { answered } from './connection.ts';
import { viewOf, wholeRecord, type IngestRecord } from './ingest-record.ts';

/** States of what nobody has taken, or has given back for a while. */
export const WAITING = [...UNCLAIMED, 'prioritized', 'delayed'] as const;

export function waitingOf(counts: Record<string, number>): number {
  return WAITING.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

/** All jobs there are, finished ones included, in no order. */
export async function allJobs(ingest: BullQueue<IngestRecord>): Promise<BullJob<IngestRecord>[]> {
  const states = ['active', ...WAITING, 'completed', 'failed'] as const;
  const found = await answered(ingest.getJobs([...states], 0, -1));
  return found.filter((job): job is BullJob<IngestRecord> => job?.data !== undefined);
}

/** What decides how long a job is kept. */
export interface RetainedJob {
  id: JobId;
  state: JobState;
  /** Whether its dispatcher has let go of it. */
  isSettled: boolean;
  /** Epoch milliseconds; 0 while it has not. */
  finishedAt: number;
  /** Documents that failed. */
  failed: number;
  retryOf: JobId | null;
  collection: string;
  sequence: number;
}

/** Which jobs are listed. */
export interface JobSelection {
  collection?: string | undefined;
  state?: JobState | undefined;
  limit: number;
  offset: number;
  /** Those of which this holds; all by default. */
  where?: (job: Pick<IngestRecord, 'collection' | 'tenant'>) => boolean;
}

/** Jobs, the newest first. */
export async function listJobs(ingest: BullQueue<IngestRecord>, options: JobSelection): Promise<Job[]> {
  const { where = () => true } = options;
  const [found, paused] = await Promise.all([allJobs(ingest), answered(ingest.isPaused())]);
  return found
    .filter(({ data }) => options.collection === undefined || data.collection.name === options.collection)
    .filter(({ data }) => where(data))
    .filter(({ data }) => options.state === undefined || data.state === options.state)
    .sort((a, b) => b.timestamp - a.timestamp || (a.data.id < b.data.id ? 1 : -1))
    .slice(options.offset, options.offset + options.limit)
    .map((job) => viewOf(job.data, job.timestamp, { paused }));
}

/** All jobs there are, in no order. */
export async function retainedJobs(ingest: BullQueue<IngestRecord>): Promise<RetainedJob[]> {
  return (await allJobs(ingest)).map(({ data, finishedOn }) => ({
    ...{ id: data.id, state: data.state, isSettled: finishedOn !== undefined },
    ...{ finishedAt: data.finishedAt === null ? (finishedOn ?? 0) : Date.parse(data.finishedAt) },
    ...{ failed: data.progress.failed, retryOf: data.retryOf },
    collection: data.collection.name,
    sequence: wholeRecord(data).sequence,
  }));
}

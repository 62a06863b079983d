import type { JobType, Queue as BullQueue } from 'bullmq';
import { isFinished, type Job, type JobId, type JobState } from '@embedmill/jobs';
import type { Broker, StoredJob } from './broker.ts';
import { UNCLAIMED } from './bull-queues.ts';
import { answered } from './connection.ts';
import { wholeRecord, type IngestRecord } from './ingest-record.ts';
import { viewOf } from './job-view.ts';
import { idAt, list, listName, listsOf, placeOf, timeAt } from './job-index.ts';
import { INGEST_QUEUE } from './names.ts';

/** The states of jobs that nobody has taken, or that were returned for a while. */
export const WAITING = [...UNCLAIMED, 'prioritized', 'delayed'] as const;
const UNENDED = ['active', ...WAITING] as const;

export function waitingOf(counts: Record<string, number>): number {
  return WAITING.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

/** The number of jobs read at once, which bounds how long parsing blocks the event loop. */
const AT_ONCE = 32;
/** The maximum cost of a page: this many records read, or this many of their bytes, whether or not they are shown. */
const MOST_LOOKED_AT = 1000;
const MOST_BYTES = 4 * 1024 * 1024;
/** The approximate size of a record without documents. */
const RECORD_BYTES = 2048;
/** A list entry without its job belongs to a job about to be added; after this long, it was left by a crash. */
const ABANDONED_MS = 3600_000;

/** A job with the times when it was submitted and released by its dispatcher, in epoch milliseconds. */
export interface KeptJob {
  record: IngestRecord;
  createdAt: number;
  finishedAt: number | undefined;
}

/** The facts that determine how long a job is kept. */
export interface RetainedJob {
  id: JobId;
  state: JobState;
  /** Whether its dispatcher has released it. */
  isSettled: boolean;
  /** Epoch milliseconds; 0 before. */
  finishedAt: number;
  /** The number of failed documents. */
  failed: number;
  retryOf: JobId | null;
  collection: string;
  sequence: number;
}

/** The jobs to list: those that match all given conditions. */
export interface JobSelection {
  collection?: string | undefined;
  state?: JobState | undefined;
  tenant?: string | undefined;
  /** Matches a job's `source` or `sourceName`. */
  source?: string | undefined;
  /** A part of the id, the collection, the source or its name, ignoring case. */
  text?: string | undefined;
  /** Shows only jobs of these collections; all by default. */
  collections?: ReadonlySet<string> | undefined;
  limit: number;
  /** The `next` of the previous page. */
  after?: string | undefined;
}

/**
 * The newest jobs of a selection, at most `limit`. There may be fewer although `next` leads to more: a page also ends
 * once it has read so many jobs or bytes that others would wait for it.
 */
export interface JobPage {
  jobs: Job[];
  /** The cursor for the next page; null after the last job. */
  next: string | null;
}

/** Reads the lists of all jobs and keeps them consistent. All calls to the broker have a bounded size. */
export class JobList {
  readonly #broker: Broker;
  readonly #ingest: BullQueue<IngestRecord>;

  constructor(broker: Broker) {
    this.#broker = broker;
    this.#ingest = broker.queues.get(INGEST_QUEUE);
  }

  async page(selection: JobSelection): Promise<JobPage> {
    const { limit, text } = selection;
    const lists = listsFor(selection);
    const paused = lists.length > 0 && (await answered(this.#ingest.isPaused()));
    const jobs: Job[] = [];
    let last = selection.after;
    let lookedAt = 0;
    let bytes = 0;
    for (;;) {
      // Reads one more than needed, to know whether there are more.
      const asked = text === undefined ? Math.min(AT_ONCE, limit - jobs.length + 1) : AT_ONCE;
      const places = await this.#placesBelow(lists, last, asked);
      const found = await answered(this.#broker.readJobs(INGEST_QUEUE, places.map(idAt)));
      for (const [n, place] of places.entries()) {
        if (jobs.length === limit || bytes > MOST_BYTES) return { jobs, next: last ?? null };
        const job = keptJob(found[n]);
        last = place;
        lookedAt += 1;
        if (job !== undefined) bytes += bytesOf(job.record);
        if (job === undefined || !isOf(lists, place, job)) await this.#mend(lists, place, job);
        else if (isSelected(job.record, selection)) jobs.push(viewOf(job.record, job.createdAt, { paused }));
      }
      if (places.length < asked) return { jobs, next: null };
      if (lookedAt >= MOST_LOOKED_AT) return { jobs, next: last ?? null };
    }
  }

  /** All unfinished jobs of a collection, from the queue itself, so that none is missing. */
  async unfinished(collection: string): Promise<Job[]> {
    const jobs: Job[] = [];
    for await (const { record, createdAt } of this.unended()) {
      if (record.collection.name === collection && !isFinished(record.state))
        jobs.push(viewOf(record, createdAt));
    }
    return jobs;
  }

  /** All jobs, including finished ones, in no order. */
  all(): AsyncGenerator<KeptJob> {
    return this.#read([...UNENDED, 'completed', 'failed']);
  }

  /** The jobs that a dispatcher has or will get, in no order. */
  unended(): AsyncGenerator<KeptJob> {
    return this.#read([...UNENDED]);
  }

  /** All jobs, in no order. Adds those that are missing to their lists. */
  async retained(): Promise<RetainedJob[]> {
    const retained: RetainedJob[] = [];
    let some: KeptJob[] = [];
    for await (const job of this.all()) {
      retained.push(retainedJob(job));
      some.push(job);
      if (some.length < AT_ONCE) continue;
      await this.#complete(some);
      some = [];
    }
    await this.#complete(some);
    return retained;
  }

  async *#read(states: JobType[]): AsyncGenerator<KeptJob> {
    const ids = await answered(this.#ingest.getRanges(states, 0, -1));
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const found = await answered(this.#broker.readJobs(INGEST_QUEUE, ids.slice(from, from + AT_ONCE)));
      for (const one of found) {
        const job = keptJob(one);
        if (job !== undefined) yield job;
      }
    }
  }

  /** Adds jobs to the lists in which they are missing. */
  async #complete(jobs: readonly KeptJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const asked = jobs.map(({ record, createdAt }) => ({
      place: placeOf(record.id, createdAt),
      lists: listsOf(record),
    }));
    const areListed = await answered(this.#broker.areListed(asked));
    for (const [n, { record, createdAt }] of jobs.entries())
      if (areListed[n] !== true) await answered(list(this.#broker, record, createdAt));
  }

  /** Removes a place from lists that do not match its job, and adds the job to those that do. */
  async #mend(lists: readonly string[], place: string, job: KeptJob | undefined): Promise<void> {
    if (job !== undefined && placeOf(job.record.id, job.createdAt) === place)
      await answered(list(this.#broker, job.record, job.createdAt));
    else if (Date.now() - timeAt(place) < ABANDONED_MS) return;
    const wrong = job === undefined ? lists : lists.filter((name) => !isOf([name], place, job));
    await answered(this.#broker.list({ place, from: wrong, to: [] }));
  }

  /** The greatest places of several lists, merged. */
  async #placesBelow(lists: readonly string[], below: string | undefined, limit: number): Promise<string[]> {
    const found = await Promise.all(
      lists.map((name) => answered(this.#broker.placesBelow(name, below, limit))),
    );
    const [only = []] = found;
    if (found.length <= 1) return only;
    return [...new Set(found.flat())].sort((a, b) => (a < b ? 1 : -1)).slice(0, limit);
  }
}

/** The lists that contain all jobs of a selection, and few others. */
function listsFor({ tenant, collection, state, source, collections }: JobSelection): string[] {
  if (collections === undefined || source !== undefined)
    return [listName({ tenant, collection, state, source })];
  const names = collection === undefined ? [...collections] : collections.has(collection) ? [collection] : [];
  return names.map((name) => listName({ tenant, collection: name, state }));
}

/** Whether the place is this job's, and the job belongs to the lists. */
function isOf(lists: readonly string[], place: string, { record, createdAt }: KeptJob): boolean {
  if (placeOf(record.id, createdAt) !== place) return false;
  const own = listsOf(record);
  return lists.some((name) => own.includes(name));
}

function isSelected(record: IngestRecord, selection: JobSelection): boolean {
  const { tenant, collection, state, source, collections, text } = selection;
  const { label, sourceName } = record;
  const { name } = record.collection;
  return (
    (tenant === undefined || record.tenant === tenant) &&
    (collection === undefined || name === collection) &&
    collections?.has(name) !== false &&
    (state === undefined || record.state === state) &&
    (source === undefined || label === source || sourceName === source) &&
    (text === undefined || hasText([record.id, name, label, sourceName ?? ''], text))
  );
}

function hasText(texts: readonly string[], wanted: string): boolean {
  const lower = wanted.toLowerCase();
  return texts.some((text) => text.toLowerCase().includes(lower));
}

function bytesOf({ source }: IngestRecord): number {
  if (source.kind !== 'inline') return RECORD_BYTES;
  return source.lines.reduce((sum, line) => sum + line.length, RECORD_BYTES);
}

/** Only this library writes the queue's jobs. */
function keptJob(stored: StoredJob | undefined): KeptJob | undefined {
  if (stored === undefined) return undefined;
  const { data, createdAt, finishedAt } = stored;
  return { record: data as IngestRecord, createdAt, finishedAt };
}

function retainedJob({ record, finishedAt }: KeptJob): RetainedJob {
  return {
    id: record.id,
    state: record.state,
    isSettled: finishedAt !== undefined,
    finishedAt: record.finishedAt === null ? (finishedAt ?? 0) : Date.parse(record.finishedAt),
    failed: record.progress.failed,
    retryOf: record.retryOf,
    collection: record.collection.name,
    sequence: wholeRecord(record).sequence,
  };
}

import { appendFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { isFinished, type DocumentReport, type Job } from '@embedmill/jobs';
import { uniqueName } from '../embedmill.ts';
import type { Cluster } from './cluster.ts';

/** What a fault did to the documents of a job, counted in the store and in the job's record. */
export type FaultRow =
  | {
      fault: string;
      documents: number;
      stored: number;
      failed: number;
      duplicates: number;
      /** Chunks that are stored twice. */
      doubled: number;
      /** Documents that are neither stored, nor failed, nor replaced by a later one. */
      lost: number;
      /** From the end of the fault until more documents were done. */
      recoveredSeconds: number;
      /** From the end of the fault to the end of the job. */
      endedSeconds: number;
    }
  | { fault: string; skipped: string };

export interface FaultCase {
  /** The name of the fault in the table. */
  fault: string;
  documents?: number;
  /** Additional lines, and how many of them must fail. */
  more?: { lines: string[]; failed: number };
  /** Injects the fault while the job is under way; resolves when the fault is over. */
  inject: (job: Job) => Promise<void>;
  /** Runs when the job has ended, before counting. */
  afterwards?: () => Promise<void>;
  /** How long the job may take after the fault. */
  seconds?: number;
}

/** One in this many lines is not a valid document, each invalid in another way. */
const BAD_EVERY = 100;
const BAD = ['{"id": ', '{"id":"no-text"}', '{"text":"no id"}', '{"id":"empty","text":" "}'];
/** This many documents are repeated at the end. */
const REPEATED = 5;

const WORDS = 'river bank money stone cloud engine table light green seven under walk'.split(' ');
/** Words that differ from line to line but not between runs. */
const sentence = (n: number) =>
  Array.from({ length: 12 + (n % 30) }, (_, word) => WORDS[(n * 7 + word * (n % 11)) % WORDS.length]).join(
    ' ',
  );

/** Lines of which `failed` are invalid, some repeat a document, and the rest have the ids `ids`. */
export function faultLines(documents: number): { lines: string[]; ids: Set<string>; failed: number } {
  const ids = new Set<string>();
  let failed = 0;
  const lines = Array.from({ length: documents - REPEATED }, (_, n) => {
    if (n % BAD_EVERY === BAD_EVERY - 1) {
      failed += 1;
      return BAD[failed % BAD.length] ?? '';
    }
    ids.add(`d${n}`);
    return JSON.stringify({ id: `d${n}`, text: `${n} ${sentence(n)}` });
  });
  for (let n = 0; n < REPEATED; n += 1)
    lines.push(JSON.stringify({ id: `d${n}`, text: `again ${sentence(n)}` }));
  return { lines, ids, failed };
}

/**
 * Runs a job, injects the fault meanwhile, waits for the job's end, counts, and checks that nothing is lost or
 * duplicated.
 */
export async function runFault(cluster: Cluster, fault: FaultCase): Promise<Job> {
  const { documents = 2500, more = { lines: [], failed: 0 }, seconds = 150 } = fault;
  const { lines, ids, failed } = faultLines(documents);
  const name = uniqueName('fault');
  await cluster.json('/api/v1/collections', { name });
  const all = [...more.lines, ...lines];
  const response = await cluster.submit(name, `${all.join('\n')}\n`);
  if (response.status !== 202) throw new Error(`submit: ${response.status} ${await response.text()}`);
  const job = (await response.json()) as Job;
  await cluster.until('the job is under way', async () => ((await cluster.job(job.id))?.done ?? 0) > 0);
  const before = await cluster.job(job.id);
  if (before !== undefined && isFinished(before.state)) throw new Error('the job was over before the fault');
  await fault.inject(job);

  const over = performance.now();
  const since = () => (performance.now() - over) / 1000;
  const doneThen = (await cluster.job(job.id))?.done;
  let recoveredSeconds: number | undefined;
  let ended: Job | undefined;
  await cluster.until(
    `job ${job.id} has ended`,
    async () => {
      const seen = await cluster.job(job.id);
      if (seen === undefined) return false;
      if (seen.done !== (doneThen ?? 0)) recoveredSeconds ??= since();
      if (!isFinished(seen.state)) return false;
      ended = seen;
      return true;
    },
    seconds,
  );
  const endedSeconds = since();
  const job_ = ended!;
  await fault.afterwards?.();
  const stored = await storedDocuments(cluster, name);
  const failures = await reports(cluster, job.id);
  const usage = await usageOf(cluster, name);
  const failedIds = new Set(failures.map(({ id }) => id));
  const lost = [...ids].filter((id) => !stored.ids.has(id) && !failedIds.has(id)).length;
  await addRow({
    fault: fault.fault,
    documents: all.length,
    stored: stored.ids.size,
    failed: failures.length,
    duplicates: job_.duplicates,
    doubled: stored.doubled,
    lost,
    recoveredSeconds: recoveredSeconds ?? endedSeconds,
    endedSeconds,
  });
  await cluster.call(`/api/v1/collections/${name}`, { method: 'DELETE' });
  const failing = failed + more.failed;
  expect({
    ...job_,
    lost,
    doubled: stored.doubled,
    kept: stored.ids.size,
    named: failures.length,
    usage,
  }).toMatchObject({
    state: 'completed',
    documents: all.length,
    done: all.length,
    duplicates: REPEATED,
    skipped: 0,
    stored: all.length - REPEATED - failing,
    failed: failing,
    named: failing,
    lost: 0,
    doubled: 0,
    kept: all.length - REPEATED - failing,
    usage: { documents: job_.done, tokens: job_.tokens },
  });
  return job_;
}

/** The usage: each document counts once, however often its shard ran. */
async function usageOf(
  cluster: Cluster,
  name: string,
): Promise<{ documents: number; tokens: number } | undefined> {
  type Row = { collection: string | null; documents: number; tokens: number };
  const { rows } = await cluster.json<{ rows: Row[] }>('/api/v1/usage?groupBy=collection');
  return rows.find(({ collection }) => collection === name);
}

/** Reads the store's documents page by page. */
export async function storedDocuments(
  cluster: Cluster,
  collection: string,
): Promise<{ ids: Set<string>; doubled: number }> {
  const ids = new Set<string>();
  const chunks = new Set<string>();
  let points = 0;
  for (let after: string | null = ''; after !== null;) {
    type Page = { points: { id: string; chunk: number }[]; next: string | null };
    const query: string = after === '' ? '' : `&after=${after}`;
    const page: Page = await cluster.json(`/api/v1/collections/${collection}/points?limit=1000${query}`);
    for (const { id, chunk } of page.points) {
      ids.add(id);
      chunks.add(`${id} ${chunk}`);
      points += 1;
    }
    after = page.next;
  }
  return { ids, doubled: points - chunks.size };
}

export async function reports(cluster: Cluster, job: string): Promise<DocumentReport[]> {
  const text = await (await cluster.call(`/api/v1/jobs/${job}/failures`)).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as DocumentReport);
}

/** Adds a row to the table that the run prints. */
export async function addRow(row: FaultRow): Promise<void> {
  const file = process.env['FAULTS_ROWS'];
  if (file !== undefined) await appendFile(file, `${JSON.stringify(row)}\n`);
}

/** Stops a process with a signal, waits, and lets it continue. */
export async function stopFor(pid: number, seconds: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await setTimeout(seconds * 1000);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

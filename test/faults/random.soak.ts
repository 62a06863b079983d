import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFinished, type Job } from '@embedmill/jobs';
import { uniqueName } from '../embedmill.ts';
import { Cluster } from './cluster.ts';
import { faultLines, reports, stopFor, storedDocuments } from './fault-case.ts';

/**
 * SOAK_MINUTES (20) of jobs, two at a time, during one fault after another, chosen by EMBEDMILL_SEED. Each finished job
 * is counted in the store. One process of each kind is stopped but never killed: its memory is measured from a quarter
 * of the time on and must not grow.
 */
const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 20);
const SEED = Number(process.env['EMBEDMILL_SEED'] || 1);
const DOCUMENTS = 2000;
const SURVIVORS = ['api-2', 'worker-2', 'store'];
/** How much memory a surviving process may gain from a quarter of the time to the end. */
const GROWTH_MB = 60;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({ apis: 2, workers: 2 });
});
afterAll(() => cluster?.stop());

/** Mulberry32: a seeded generator of numbers from 0 to 1. */
function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const restart = (name: string, afterMs: number) => async () => {
  await cluster.end(name);
  await setTimeout(afterMs);
  await cluster.start(name);
};
const stop = (name: string) => () => stopFor(cluster.pid(name), 5);

const FAULTS: Record<string, () => Promise<unknown>> = {
  'worker-1 killed': restart('worker-1', 1000),
  'api-1 killed': restart('api-1', 1000),
  'redis killed': restart('redis', 4000),
  'engines killed': async () => {
    for (const name of ['worker-1', 'worker-2'])
      for (const pid of await cluster.engines(name)) process.kill(pid, 'SIGKILL');
  },
  'worker-1 ended by SIGTERM': async () => {
    expect(await cluster.end('worker-1', 'SIGTERM')).toBe(0);
    await cluster.start('worker-1');
  },
  'worker-2 stopped': stop('worker-2'),
  'api-1 stopped': stop('api-1'),
  'api-2 stopped': stop('api-2'),
  'store stopped': stop('store'),
  'redis stopped': stop('redis'),
};

interface Totals {
  jobs: number;
  documents: number;
  stored: number;
  failed: number;
  /** Failures that are not the documents' fault: they are listed and retried. */
  unlucky: number;
  lost: number;
  doubled: number;
}

/** Repeats an action until it works: an API may be away at any time. */
async function persist<T>(what: string, action: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 60_000; ; await setTimeout(200)) {
    try {
      return await action();
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`cannot ${what}`, { cause: error });
    }
  }
}

async function runJob(number: number, totals: Totals): Promise<void> {
  const { lines, ids, failed } = faultLines(DOCUMENTS);
  const name = uniqueName(`soak-${number}`);
  await persist('create a collection', () => cluster.json('/api/v1/collections', { name }));
  // The Idempotency-Key makes repeating it safe.
  const job = await persist('submit a job', async () => {
    const response = await cluster.submit(name, lines.join('\n'), { 'idempotency-key': name });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return (await response.json()) as Job;
  });
  let last: Job | undefined;
  await cluster.until(
    `job ${job.id} has ended`,
    async () => {
      last = (await cluster.job(job.id)) ?? last;
      return last !== undefined && isFinished(last.state);
    },
    240,
  );
  const stored = await persist('read the store', () => storedDocuments(cluster, name));
  const failures = await persist('read failures', () => reports(cluster, job.id));
  const failedIds = new Set(failures.map(({ id }) => id));
  totals.jobs += 1;
  totals.documents += DOCUMENTS;
  totals.stored += stored.ids.size;
  totals.failed += failures.length;
  totals.unlucky += failures.filter(({ retryable }) => retryable).length;
  totals.lost += [...ids].filter((id) => !stored.ids.has(id) && !failedIds.has(id)).length;
  totals.doubled += stored.doubled;
  const unlucky = failures.length - failed;
  expect(last).toMatchObject({
    state: 'completed',
    documents: DOCUMENTS,
    done: DOCUMENTS,
    skipped: 0,
    failed: failures.length,
    stored: ids.size - unlucky,
  });
  expect(stored.ids.size).toBe(ids.size - unlucky);
  await persist('delete the collection', async () => {
    const response = await cluster.call(`/api/v1/collections/${name}`, { method: 'DELETE' });
    if (!response.ok) throw new Error(`${response.status}`);
  });
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}

test(`${MINUTES} minutes of random faults lose and duplicate nothing, and memory does not grow`, async () => {
  const next = random(SEED);
  const start = Date.now();
  const isOver = () => Date.now() - start > MINUTES * 60_000;
  const totals: Totals = { jobs: 0, documents: 0, stored: 0, failed: 0, unlucky: 0, lost: 0, doubled: 0 };
  const happened: Record<string, number> = {};
  const memory = new Map(SURVIVORS.map((name) => [name, [] as { minutes: number; mb: number }[]]));
  let number = 0;

  const work = async () => {
    while (!isOver()) await runJob((number += 1), totals);
  };
  const harm = async () => {
    const names = Object.keys(FAULTS);
    while (!isOver()) {
      await setTimeout(2000 + next() * 8000);
      const name = names[Math.floor(next() * names.length)] ?? '';
      happened[name] = (happened[name] ?? 0) + 1;
      await FAULTS[name]?.();
    }
  };
  const measure = async () => {
    for (; !isOver(); await setTimeout(5000)) {
      for (const [name, samples] of memory)
        samples.push({ minutes: (Date.now() - start) / 60_000, mb: await residentMb(cluster.pid(name)) });
    }
  };
  await Promise.all([work(), work(), harm(), measure()]);

  const flat = [...memory].map(([name, samples]) => ({ name, ...growthOf(samples) }));
  process.stdout.write(
    `seed ${SEED}, ${MINUTES} minutes\n${JSON.stringify({ totals, happened, flat }, null, 1)}\n`,
  );
  expect(totals).toMatchObject({ lost: 0, doubled: 0 });
  expect(totals.jobs).toBeGreaterThan(0);
  for (const { name, grownMb } of flat) expect(grownMb, `${name} grows`).toBeLessThan(GROWTH_MB);
});

/** The line of best fit through the samples of the last three quarters (least squares), and its rise over them. */
function growthOf(all: readonly { minutes: number; mb: number }[]): {
  /** The mean of each quarter. */
  mb: number[];
  mbPerMinute: number;
  grownMb: number;
} {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const quarter = Math.ceil(all.length / 4);
  const quarters = [0, 1, 2, 3].map((n) => all.slice(n * quarter, (n + 1) * quarter).map(({ mb }) => mb));
  const samples = all.slice(quarter);
  const x = mean(samples.map(({ minutes }) => minutes));
  const y = mean(samples.map(({ mb }) => mb));
  const rise = samples.reduce((sum, { minutes, mb }) => sum + (minutes - x) * (mb - y), 0);
  const run = samples.reduce((sum, { minutes }) => sum + (minutes - x) ** 2, 0);
  const slope = run === 0 ? 0 : rise / run;
  const span = (samples.at(-1)?.minutes ?? 0) - (samples[0]?.minutes ?? 0);
  return {
    mb: quarters.map((values) => Math.round(mean(values))),
    mbPerMinute: Number(slope.toFixed(2)),
    grownMb: Math.round(slope * span),
  };
}

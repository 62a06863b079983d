import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import autocannon from 'autocannon';
import type { Job } from '@embedmill/jobs';
import { ndjson, type Embedmill } from './embedmill.ts';

export interface LoadOptions {
  /** Connections, each of which sends its next search as soon as it has an answer. */
  clients: number;
  seconds: number;
  /** The most searches per second of each client; without it, each tries again as soon as it is refused. */
  rate?: number | undefined;
  /** Documents of the bulk job that runs meanwhile and is cancelled at the end. */
  documents: number;
}

export interface LoadReport {
  clients: number;
  seconds: number;
  requests: number;
  /** Answers by the first digit of their status; 429 is counted separately. */
  answers: { '2xx': number; '429': number; '4xx': number; '5xx': number };
  /** Connections that broke, and answers that did not come within 30 s. */
  broken: number;
  refusedWithoutRetryAfter: number;
  /** Milliseconds of the searches that returned hits. */
  p50: number;
  p99: number;
  /** The API's memory in megabytes. */
  memory: { before: number; peak: number; after: number };
  /** Documents of the bulk job that were settled meanwhile, and its final state. */
  bulk: { done: number; state: Job['state'] };
}

const QUESTIONS = ['a river in spring', 'how bread is baked', 'the oldest bridge', 'a song about winter'];
const WORDS = 'river bread bridge song winter spring stone paper garden light market letter'.split(' ');

/** Runs searches by many clients beside a bulk job, on this machine and for a limited time. */
export async function measureLoad(
  mill: Embedmill,
  { clients, seconds, rate, documents }: LoadOptions,
): Promise<LoadReport> {
  const { url, processes } = await mill.state();
  const name = await mill.collection('load');
  await mill.finished(await mill.submit(name, ndjson(texts('first', 200))));
  const bulk = await mill.submit(name, ndjson(texts('bulk', documents)));
  const doneOf = () => patiently<Job>(mill, `/api/v1/jobs/${bulk.id}`);
  await mill.until('the bulk job is running', async () => (await doneOf()).done > 0);

  const before = (await doneOf()).done;
  const memory = await watchMemory(processes.api);
  const asked = await search(url, name, { clients, seconds, rate }).finally(() => memory.end());
  const after = await doneOf();
  if (after.state === 'running') await mill.json(`/api/v1/jobs/${bulk.id}/cancel`, undefined, 'POST');
  return {
    clients,
    seconds,
    ...asked,
    memory: await memory.end(),
    bulk: { done: after.done - before, state: after.state },
  };
}

/** Repeats a request while it is refused, because earlier requests are still being answered. */
async function patiently<T>(mill: Embedmill, path: string): Promise<T> {
  for (const deadline = Date.now() + 60_000; ; await setTimeout(100)) {
    const response = await mill.call(path);
    if (response.ok || response.status !== 429 || Date.now() > deadline) return (await response.json()) as T;
  }
}

type Asked = Omit<LoadReport, 'clients' | 'seconds' | 'memory' | 'bulk'>;

function search(
  url: string,
  collection: string,
  { clients, seconds, rate }: Pick<LoadOptions, 'clients' | 'seconds' | 'rate'>,
): Promise<Asked> {
  const answers = { '2xx': 0, '429': 0, '4xx': 0, '5xx': 0 };
  const milliseconds: number[] = [];
  let refusedWithoutRetryAfter = 0;
  return new Promise((resolve, reject) => {
    const run = autocannon(
      {
        url,
        connections: clients,
        duration: seconds,
        timeout: 30,
        ...(rate !== undefined && { connectionRate: rate }),
        requests: QUESTIONS.map((query) => ({
          method: 'POST' as const,
          path: `/api/v1/collections/${collection}/search`,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query }),
        })),
        setupClient: (client) => {
          client.on('headers', (answer) => {
            // Its types call this the headers, but it is the head: the status and a flat list of names and values.
            const { statusCode, headers } = answer as unknown as { statusCode: number; headers: string[] };
            const names = headers.map((one) => one.toLowerCase());
            if (statusCode === 429 && !names.includes('retry-after')) refusedWithoutRetryAfter += 1;
          });
        },
      },
      (error: unknown, result) => {
        if (error !== null) return reject(error as Error);
        const sorted = milliseconds.toSorted((a, b) => a - b);
        const at = (part: number) => Math.round(sorted[Math.floor(part * (sorted.length - 1))] ?? 0);
        resolve({
          requests: result.requests.total,
          answers,
          refusedWithoutRetryAfter,
          broken: result.errors + result.timeouts,
          p50: at(0.5),
          p99: at(0.99),
        });
      },
    );
    run.on('response', (_client, status, _bytes, took) => {
      const kind = status === 429 ? '429' : (`${Math.floor(status / 100)}xx` as keyof typeof answers);
      answers[kind] += 1;
      if (kind === '2xx') milliseconds.push(took);
    });
  });
}

/** Samples a process’s memory in megabytes until it is ended. */
async function watchMemory(pid: number): Promise<{ end(): Promise<LoadReport['memory']> }> {
  const before = await residentMB(pid);
  let peak = before;
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      peak = Math.max(peak, await residentMB(pid));
      await setTimeout(200, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    async end() {
      over.abort();
      await watching;
      return { before, peak, after: await residentMB(pid) };
    },
  };
}

async function residentMB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024);
}

function texts(prefix: string, count: number): object[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `${prefix}-${n}`,
    text:
      Array.from({ length: 40 }, (_word, at) => WORDS[(n * 7 + at * (1 + (n % 11))) % WORDS.length]).join(
        ' ',
      ) + ` ${n}`,
  }));
}

import { gunzipSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job, Shard, ShardResult } from '@embedmill/jobs';
import type { Queue } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { NESTED } from '../apps/api/src/testing/fake-worker.ts';
import { sweep } from '../apps/api/src/dispatch/retention.ts';
import { startMill, type Mill, type PlainPoint, type Walk } from './living/mill.ts';

/**
 * The guarantee of both sinks, a collection and a file: the queue delivers at least once, and walks and dispatchers die
 * anywhere, yet each document that did not fail is written exactly once, complete, with the same vectors as if it were
 * alone.
 */
const CHUNKING = { mode: 'tokens', size: 24, overlap: 4, boundary: 'word' } as const;
const PROFILE = { model: NESTED.name, chunking: CHUNKING };
const DOCUMENTS = 600;
const BAD = new Set([7, 300, 599]);

const documents = Array.from({ length: DOCUMENTS }, (_, n) => ({
  id: `d${n}`,
  text: Array.from({ length: 1 + (n % 60) }, (_, at) => `word${(n * 7 + at * at) % 97}`).join(' '),
  metadata: { n },
}));
const lines = documents.map((one, n) =>
  BAD.has(n) ? JSON.stringify({ id: one.id, text: 5 }) : JSON.stringify(one),
);
const source = `${lines.join('\n')}\n`;

type Placed = Pick<PlainPoint, 'text' | 'dense'> & { id: string; chunk: number; chunks: number };

interface Sink {
  submit(mill: Mill, body: string): Promise<Job>;
  /** What was written of the job's documents, in any order. */
  read(mill: Mill, job: Job): Promise<Placed[]>;
  /** The store for a walk. */
  store(mill: Mill): VectorStore;
}

let made = 0;
const COLLECTION: Sink = {
  async submit(mill, body) {
    const name = `sink-${(made += 1)}`;
    await mill.json('POST', '/api/v1/collections', { name, profile: PROFILE });
    return mill.submitted(name, body);
  },
  async read(mill, { collection }) {
    const placed: Placed[] = [];
    for (let after: string | null = ''; after !== null;) {
      const query: string = after === '' ? '' : `?after=${after}`;
      const { body } = await mill.json('GET', `/api/v1/collections/${collection}/points${query}`);
      const page = body as { points: (Placed & { dense: never })[]; next: string | null };
      for (const { id, chunk, chunks, text, dense } of page.points) {
        const bytes = Uint8Array.from(Buffer.from(dense as string, 'base64')).buffer;
        placed.push({ id, chunk, chunks, text, dense: Array.from(new Float32Array(bytes)) });
      }
      after = page.next;
    }
    return placed;
  },
  store: (mill) => mill.store,
};

/** A store that must not be called. */
const NO_STORE = new Proxy({} as VectorStore, {
  get(_, name) {
    throw new Error(`the store was asked for ${String(name)}`);
  },
});

async function submitToFile(mill: Mill, body: string, query: string): Promise<Job> {
  const profile = encodeURIComponent(JSON.stringify(PROFILE));
  const response = await mill.call(`/api/v1/jobs?profile=${profile}&${query}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  expect(response.status).toBe(202);
  return (await response.json()) as Job;
}

async function outputOf(mill: Mill, { id }: Pick<Job, 'id'>): Promise<Buffer> {
  const response = await mill.call(`/api/v1/jobs/${id}/output`);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

const rowsOf = (text: string): Placed[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const { id, chunk, chunks, text: its, dense } = JSON.parse(line) as Placed;
      return { id, chunk, chunks, text: its, dense: dense.map(Math.fround) };
    });

const FILES: [string, Sink][] = [
  ['ndjson', async (bytes: Buffer) => rowsOf(bytes.toString('utf8'))] as const,
  ['ndjson.gz', async (bytes: Buffer) => rowsOf(gunzipSync(bytes).toString('utf8'))] as const,
  [
    'parquet',
    async (bytes: Buffer) => {
      const rows = await parquetReadObjects({ file: Uint8Array.from(bytes).buffer });
      return rows.map((row) => {
        const { id, chunk, chunks, text, dense } = row as unknown as Placed;
        return { id, chunk, chunks, text, dense };
      });
    },
  ] as const,
].map(([format, parse]): [string, Sink] => [
  `a file of ${format}`,
  {
    submit: (mill, body) => submitToFile(mill, body, `output=${format}`),
    read: async (mill, job) => parse(await outputOf(mill, job)),
    store: () => NO_STORE,
  },
]);

let mill: Mill;
beforeAll(async () => {
  mill = await startMill();
});
afterAll(() => mill?.close());

async function expectWhole(sink: Sink, job: Job): Promise<void> {
  const ended = await mill.finished(job);
  expect(ended).toMatchObject({
    state: 'completed',
    documents: DOCUMENTS,
    done: DOCUMENTS,
    failed: BAD.size,
    stored: DOCUMENTS - BAD.size,
    skipped: 0,
    duplicates: 0,
    superseded: 0,
    error: null,
  });
  const reports = await (await mill.call(`/api/v1/jobs/${job.id}/failures`)).text();
  const failed = reports
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { id: string }).id);
  expect(failed.sort()).toEqual([...BAD].map((n) => `d${n}`).sort());
  const found = Map.groupBy(await sink.read(mill, ended), ({ id }) => id);
  expect(found.size).toBe(DOCUMENTS - BAD.size);
  let chunks = 0;
  for (const [n, document] of documents.entries()) {
    if (BAD.has(n)) continue;
    const placed = found.get(document.id) ?? [];
    const wanted = await mill.pointsOf(document, CHUNKING);
    chunks += wanted.length;
    expect(placed.map(({ chunk }) => chunk).sort((a, b) => a - b)).toEqual(wanted.map((_, at) => at));
    for (const { chunk, chunks: all, text, dense } of placed) {
      expect({ text, all }).toEqual({ text: wanted[chunk]?.text, all: wanted.length });
      expect(dense).toEqual(wanted[chunk]?.dense);
    }
  }
  expect(ended.chunks).toBe(chunks);
}

describe.each<[string, Sink]>([['a collection', COLLECTION], ...FILES])('%s', (_, sink) => {
  /** Runs a job whose shards are walked by `walkBy`. */
  async function during(
    walkBy: (shard: Shard, walk: () => Promise<ShardResult>) => Promise<ShardResult>,
    meanwhile: (job: Job) => Promise<void> = async () => {},
  ): Promise<void> {
    mill.walkBy((shard: Shard, walk: Walk) => walkBy(shard, () => walk(sink.store(mill))));
    try {
      const job = await sink.submit(mill, source);
      await meanwhile(job);
      await expectWhole(sink, job);
    } finally {
      mill.walkBy((_shard, walk) => walk());
    }
  }

  test('has each document once and complete if nothing happens', () => during((_shard, walk) => walk()));

  test('has each document once if shards are walked twice, in sequence or concurrently', () =>
    during(async ({ index }, walk) => {
      if (index % 2 === 0) return (await Promise.all([walk(), walk()]))[1];
      await walk();
      return walk();
    }));

  test('has each document once if a worker dies between writing and settling', async () => {
    const begun = new Set<number>();
    await during(async ({ index }, walk) => {
      const result = await walk();
      if (begun.has(index) || index % 2 === 1) return result;
      begun.add(index);
      throw new Error('the worker ended');
    });
    expect(begun.size).toBeGreaterThan(1);
  });

  test('has each document once if the dispatcher dies during the job', async () => {
    const { promise: first, resolve: seen } = Promise.withResolvers<void>();
    const { promise: goOn, resolve: go } = Promise.withResolvers<void>();
    await during(
      async ({ index }, walk) => {
        if (index === 1) seen();
        if (index > 1) await goOn;
        return walk();
      },
      async () => {
        await first;
        await mill.killDispatcher();
        go();
      },
    );
  });
});

test('a file’s rows are in the order of the source', async () => {
  const job = await mill.finished(await submitToFile(mill, source, 'output=ndjson'));
  const ids = rowsOf((await outputOf(mill, job)).toString('utf8')).map(({ id }) => id);
  expect([...new Set(ids)]).toEqual(documents.flatMap(({ id }, n) => (BAD.has(n) ? [] : [id])));
});

test('if documents share an id, only the last has rows, and a deleted one has none', async () => {
  const body = [
    { id: 'a', text: 'first' },
    { id: 'b', text: 'stays' },
    { id: 'c', deleted: true },
    { id: 'a', text: 'last' },
  ];
  const lines = body.map((one) => `${JSON.stringify(one)}\n`).join('');
  const job = await mill.finished(await submitToFile(mill, lines, 'output=ndjson'));
  expect(job).toMatchObject({ state: 'completed', documents: 4, stored: 2, duplicates: 1, deleted: 1 });
  const rows = rowsOf((await outputOf(mill, job)).toString('utf8'));
  expect(rows.map(({ id, text }) => [id, text])).toEqual([
    ['b', 'stays'],
    ['a', 'last'],
  ]);
});

test('failed documents are retried as a job with its own file', async () => {
  const job = await mill.finished(await submitToFile(mill, source, 'output=ndjson'));
  const { status, body } = await mill.json('POST', `/api/v1/jobs/${job.id}/retry`);
  expect(status).toBe(202);
  const retried = await mill.finished(body as Job);
  expect(retried).toMatchObject({ retryOf: job.id, documents: BAD.size, failed: BAD.size, stored: 0 });
  expect((await outputOf(mill, retried)).length).toBe(0);
});

test('a cancelled job has no file, and its parts are removed', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const { promise: first, resolve: seen } = Promise.withResolvers<void>();
  mill.walkBy(async ({ index }, walk) => {
    seen();
    if (index > 0) await held;
    return walk(NO_STORE);
  });
  try {
    const job = await submitToFile(mill, source, 'output=ndjson');
    await first;
    expect((await mill.json('POST', `/api/v1/jobs/${job.id}/cancel`)).status).toBe(202);
    release();
    expect(await mill.finished(job)).toMatchObject({ state: 'cancelled', output: null });
    expect((await mill.call(`/api/v1/jobs/${job.id}/output`)).status).toBe(409);
    await expect
      .poll(async () => (await Array.fromAsync(mill.parts.spool.parts(job.id as never))).length)
      .toBe(0);
  } finally {
    mill.walkBy((_shard, walk) => walk());
  }
});

test('a file is kept as long as its job, and is removed with all of its parts', async () => {
  const job = await mill.finished(await submitToFile(mill, '{"id":"a","text":"one"}\n', 'output=ndjson'));
  const running = await submitToFile(mill, source, 'output=ndjson');
  const { queue, spool, store } = mill.parts;
  const log = { info: () => {}, warn: () => {} };
  const policy = { ageMs: 3600_000, failuresAgeMs: 24 * 3600_000, jobs: 1000 };
  const sweepIn = (ms: number) =>
    sweep({ queue: queue as Queue, spool: spool as Spool, store, policy, log }, Date.now() + ms);
  await sweepIn(0);
  expect(rowsOf((await outputOf(mill, job)).toString('utf8'))).toHaveLength(1);
  // The dispatcher may still be letting go of it.
  await expect
    .poll(() => sweepIn(2 * 3600_000).then(() => mill.call(`/api/v1/jobs/${job.id}/output`)), {
      timeout: 30_000,
    })
    .toMatchObject({ status: 404 });
  expect(await (spool as Spool).listJobs()).not.toContainEqual(expect.objectContaining({ job: job.id }));
  // Jobs that have not ended, or have failures that can be retried, stay.
  const kept = await mill.finished(running);
  await sweepIn(2 * 3600_000);
  expect((await outputOf(mill, kept)).length).toBeGreaterThan(0);
});

test('options that a file does not support are refused, with their place in the request', async () => {
  const documents = [{ id: 'a', text: 'one' }];
  const output = { format: 'parquet' };
  for (const [body, status, path] of [
    [{ documents }, 400, 'output'],
    [{ output }, 400, ''],
    [{ documents, output: { format: 'csv' } }, 400, 'output/format'],
    [{ documents, output, mode: 'snapshot' }, 400, 'mode'],
    [{ documents, output, dryRun: true }, 400, 'dryRun'],
    [{ documents, output, profile: { storage: 'int8' } }, 400, 'profile/storage'],
    [{ documents, output, profile: { model: 'nosuch' } }, 404, 'profile/model'],
    [{ documents, output: { ...output, to: 's3://elsewhere/x' } }, 403, ''],
    [{ documents: [{ id: 'a' }], output }, 422, 'documents/0'],
  ] as const) {
    const answer = await mill.json('POST', '/api/v1/jobs', body);
    expect([body, answer.status]).toEqual([body, status]);
    const problem = answer.body as { errors?: { path: string }[]; detail: string };
    if (path !== '') expect(problem.errors?.map((one) => one.path).join(' ')).toContain(path);
  }
  const upload = await mill.call('/api/v1/jobs', {
    method: 'POST',
    body: source,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  expect(upload.status).toBe(400);
  expect(((await upload.json()) as { detail: string }).detail).toContain('?output=parquet');
  expect((await mill.json('POST', '/api/v1/jobs/job_none/verify')).status).toBe(404);
});

test('a request repeated with its Idempotency-Key is the same job, and with a different profile a conflict', async () => {
  const send = (model: string) =>
    mill.json(
      'POST',
      '/api/v1/jobs',
      { documents: [{ id: 'a', text: 'one' }], output: {}, profile: { model } },
      { 'idempotency-key': 'embed-once' },
    );
  const [first, second, other] = [await send(NESTED.name), await send(NESTED.name), await send(NESTED.name)];
  expect([first.status, second.status, other.status]).toEqual([202, 200, 200]);
  expect((second.body as Job).id).toBe((first.body as Job).id);
  expect((await send('all-MiniLM-L6-v2')).status).toBe(409);
  const verified = await mill.json('POST', `/api/v1/jobs/${(first.body as Job).id}/verify`);
  expect(verified.status).toBe(400);
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { TestS3 } from '@embedmill/sources/test-s3';
import { Embedmill, ndjson, runCli, uniqueName } from '../embedmill.ts';
import { expectRefused } from './refused-arguments.ts';

/** Exports of documents and vectors, through all processes, with the command line as the client. */
const PROFILE = {
  model: 'static-minilm-256',
  sparse: { bm25: {} },
  chunking: { mode: 'tokens', size: 48, overlap: 8 },
  filterable: { tag: 'keyword' },
};
const documents = Array.from({ length: 600 }, (_, n) => ({
  id: `d${n}`,
  text: Array.from(
    { length: 1 + (n % 7) },
    (_, s) => `Sentence ${s} of ${n} tells of ships and whales.`,
  ).join(' '),
  ...(n % 3 === 0 && { title: `Title ${n}` }),
  metadata: { tag: n % 2 === 0 ? 'even' : 'odd', deep: { list: [n, 'x', null] } },
}));

let folder: string;
let s3: TestS3;
let mill: Embedmill;
let collection: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-export-'));
  s3 = await TestS3.start();
  mill = await Embedmill.up({
    env: { ...s3.environment, EMBEDMILL_API_S3_TARGETS: `s3://${s3.bucket}/out` },
  });
  collection = await mill.collection('export', PROFILE);
  await mill.finished(await mill.submit(collection, ndjson(documents)));
});
afterAll(async () => {
  await mill?.stop();
  await s3?.stop();
  await rm(folder, { recursive: true, force: true });
});

type Row = Record<string, unknown>;
const linesOf = (text: string): Row[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Row);
const byId = (a: Row, b: Row): number => String(a['id']).localeCompare(String(b['id']));

async function exported(name: string, ...options: string[]): Promise<Buffer> {
  const path = join(folder, name);
  const { code, stderr } = await mill.cli('export', collection, '--to', path, ...options);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return readFile(path);
}

test('documents are exported as they were submitted, and submitting them again embeds nothing', async () => {
  const file = await exported('documents.ndjson');
  const rows = linesOf(file.toString('utf8')).sort(byId);
  expect(rows).toEqual(
    documents.map(({ id, ...rest }) => ({ id, tenant: 'default', ...rest })).toSorted(byId),
  );
  const again = await mill.finished(await mill.submit(collection, file));
  expect(again).toMatchObject({ documents: documents.length, skipped: documents.length, tokens: 0 });
});

test('a filter selects documents, and gzip compresses', async () => {
  const file = await exported('odd.ndjson.gz', '--filter', '{"field":"tag","eq":"odd"}');
  const rows = linesOf(gunzipSync(file).toString('utf8'));
  expect(rows.map(({ id }) => id).sort()).toEqual(
    documents.flatMap(({ id, metadata }) => (metadata.tag === 'odd' ? id : [])).sort(),
  );
});

test('Parquet has a row per point, with the stored vectors', async () => {
  const file = await exported('points.parquet', '--vectors');
  const rows = await parquetReadObjects({ file: Uint8Array.from(file).buffer });
  const stored = new Map<string, Float32Array>();
  for (let after: string | null = ''; after !== null;) {
    const page: { points: { id: string; chunk: number; dense: string }[]; next: string | null } =
      await mill.json(`/api/v1/collections/${collection}/points${after === '' ? '' : `?after=${after}`}`);
    for (const { id, chunk, dense } of page.points) {
      stored.set(`${id}/${chunk}`, new Float32Array(Uint8Array.from(Buffer.from(dense, 'base64')).buffer));
    }
    after = page.next;
  }
  expect(rows).toHaveLength(stored.size);
  for (const { id, chunk, chunks, start, end, text, dense, bm25, metadata } of rows) {
    const document = documents.find((one) => one.id === id);
    expect(chunk).toBeLessThan(chunks as number);
    expect(text).toBe(document?.text.slice(start as number, end as number));
    expect(dense).toEqual(Array.from(stored.get(`${id as string}/${chunk as number}`) ?? []));
    expect((bm25 as { indices: bigint[] }).indices.length).toBeGreaterThan(0);
    expect(JSON.parse(metadata as string)).toEqual(document?.metadata);
  }
});

test('an export with vectors is imported without embedding, and searches find the same', async () => {
  // Otherwise the average length would be measured on another sample of the documents.
  const sparse = { bm25: { averageLength: 20 } };
  const single = { ...PROFILE, sparse, chunking: { mode: 'document' } };
  const from = await mill.collection('move-from', single);
  await mill.finished(await mill.submit(from, ndjson(documents)));
  const file = join(folder, 'moving.parquet');
  expect((await mill.cli('export', from, '--to', file, '--vectors')).code).toBe(0);
  const to = await mill.collection('move-to', single);
  const moved = await mill.cli(
    ...['submit', file, '-c', to, '--wait', '--json', '--columns', 'vector=dense,metadata=metadata'],
  );
  expect(JSON.parse(moved.stdout)).toMatchObject({ stored: documents.length, failed: 0, tokens: 0 });
  for (const mode of ['dense', 'sparse']) {
    const query = { query: 'sentence 3 of 101', mode, limit: 20, filter: { field: 'tag', eq: 'odd' } };
    const [before, after] = [await mill.search(from, query), await mill.search(to, query)];
    // Ties are broken by point id, which depends on the collection's name.
    expect(after.map(({ score }) => score)).toEqual(before.map(({ score }) => score));
    expect(after[0]).toMatchObject({ id: 'd101', metadata: before[0]?.metadata });
  }
});

test('a vector that does not fit the collection fails only its own document', async () => {
  const own = await mill.collection('own-vectors', { model: 'static-minilm-256' });
  const good = Array.from({ length: 256 }, (_, n) => n - 100);
  const job = await mill.finished(
    await mill.submit(
      own,
      ndjson([
        { id: 'good', vector: good },
        { id: 'texted', text: 'with words', vector: good },
        { id: 'short', text: 'x', vector: [1, 2, 3] },
        { id: 'nothing', text: 'x', vector: good.map(() => 0) },
        { id: 'letters', text: 'x', vector: ['a'] },
        { id: 'plain', text: 'embedded as ever' },
      ]),
    ),
  );
  expect(job).toMatchObject({ stored: 3, failed: 3 });
  const reports = await mill.reports(job, 'failures');
  expect(reports.map(({ id, code }) => [id, code])).toEqual([
    ['short', 'invalid_vector'],
    ['nothing', 'invalid_vector'],
    ['letters', 'invalid_document'],
  ]);
  expect(reports[0]?.['message']).toContain('3 numbers');
});

test('the server writes to a bucket that it may use', async () => {
  const to = `s3://${s3.bucket}/out/all.parquet`;
  expect((await mill.cli('export', collection, '--to', to)).code).toBe(0);
  const client = new S3Client({
    endpoint: s3.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
  });
  try {
    const object = await client.send(new GetObjectCommand({ Bucket: s3.bucket, Key: 'out/all.parquet' }));
    const bytes = await object.Body!.transformToByteArray();
    const rows = await parquetReadObjects({ file: Uint8Array.from(bytes).buffer });
    expect(rows).toHaveLength(documents.length);
  } finally {
    client.destroy();
  }
  const elsewhere = await mill.cli('export', collection, '--to', `s3://${s3.bucket}/in/all.parquet`);
  expect(elsewhere.code).toBe(1);
  expect(elsewhere.stderr).toContain('EMBEDMILL_API_S3_TARGETS');
});

test.each(['ndjson', 'parquet'])(
  'an export as %s is complete although all processes were killed',
  async (format) => {
    const many = await mill.collection(`export-many-${format}`, { model: 'static-minilm-256' });
    const lines = Array.from({ length: 6000 }, (_, n) => ({ id: `m${n}`, text: `ship number ${n}` }));
    await mill.finished(await mill.submit(many, ndjson(lines)));
    const job = await mill.json<Job>(`/api/v1/collections/${many}/exports`, { format });
    const { processes } = await mill.state();
    await mill.until('some of it is written', async () => {
      const { done } = await mill.json<Job>(`/api/v1/jobs/${job.id}`);
      return done > 0;
    });
    process.kill(processes.worker, 'SIGKILL');
    process.kill(processes.api, 'SIGKILL');
    const done = await mill.finished(job);
    expect(done).toMatchObject({ state: 'completed', stored: lines.length, failed: 0 });
    const file = await (await mill.call(`/api/v1/jobs/${job.id}/output`)).arrayBuffer();
    const rows =
      format === 'parquet' ? await parquetReadObjects({ file }) : linesOf(Buffer.from(file).toString());
    // Each exactly once.
    const read = rows.map(({ id, text }) => ({ id, text }));
    expect(read.sort(byId)).toEqual(lines.toSorted(byId));
  },
);

describe('the file', () => {
  let job: Job;
  let whole: Buffer;
  const output = (headers: Record<string, string> = {}) =>
    mill.call(`/api/v1/jobs/${job.id}/output`, { headers });
  beforeAll(async () => {
    job = await mill.json<Job>(`/api/v1/collections/${collection}/exports`, { vectors: true });
    job = await mill.finished(job);
    whole = Buffer.from(await (await output()).arrayBuffer());
    expect(whole.length).toBe(job.output?.bytes);
  });

  test('is served in ranges, and an invalid range is refused', async () => {
    for (const [range, start, end] of [
      ['bytes=10-19', 10, 20],
      [`bytes=${whole.length - 5}-`, whole.length - 5, whole.length],
      ['bytes=-7', whole.length - 7, whole.length],
    ] as const) {
      const part = await output({ range });
      expect(part.status).toBe(206);
      expect(part.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/${whole.length}`);
      expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(start, end))).toBe(true);
    }
    const beyond = await output({ range: `bytes=${whole.length}-` });
    expect(beyond.status).toBe(416);
    expect(beyond.headers.get('content-range')).toBe(`bytes */${whole.length}`);
    expect((await output({ range: 'bytes=0-1', 'if-range': '"another"' })).status).toBe(200);
    expect((await output({ range: 'bytes=0-1,5-6' })).status).toBe(200);
  });

  test('is downloaded from where an earlier download stopped', async () => {
    const path = join(folder, 'resumed.ndjson');
    await writeFile(`${path}.${job.id}.partial`, whole.subarray(0, 1000));
    const { code } = await mill.cli('export', collection, '--to', path, '--job', job.id);
    expect(code).toBe(0);
    expect((await readFile(path)).equals(whole)).toBe(true);
  });

  test('does not exist for a job that is not an export, nor for a cancelled one', async () => {
    const { jobs } = await mill.json<{ jobs: Job[] }>(`/api/v1/jobs?collection=${collection}`);
    const upload = jobs.find(({ source }) => source === 'upload');
    expect((await mill.call(`/api/v1/jobs/${upload?.id}/output`)).status).toBe(404);
    expect((await mill.call(`/api/v1/jobs/${job.id}/retry`, { method: 'POST' })).status).toBe(409);
  });

  test('of an empty collection is an empty, valid file', async () => {
    const empty = await mill.collection('export-empty', PROFILE);
    const path = join(folder, 'empty.parquet');
    expect((await mill.cli('export', empty, '--to', path, '--vectors')).code).toBe(0);
    const file = Uint8Array.from(await readFile(path)).buffer;
    expect(await parquetReadObjects({ file })).toEqual([]);
    const lines = join(folder, 'empty.ndjson');
    expect((await mill.cli('export', empty, '--to', lines)).code).toBe(0);
    expect((await readFile(lines)).length).toBe(0);
  });
});

test('what cannot be exported is reported before anything is done', async () => {
  await expectRefused(mill, 'export', [
    [['nosuch', '--to', join(folder, 'x.ndjson')], 'there is no collection'],
    [[collection, '--to', join(folder, 'x.txt')], 'must end in'],
    [[collection, '--to', join(folder, 'none', 'x.ndjson')], 'is not a folder'],
    [[collection, '--to', join(folder, 'x.ndjson'), '--filter', '{"field":"nosuch","eq":1}'], 'nosuch'],
  ]);
});

test('a tenant’s key exports its tenant’s documents, and no other’s', async () => {
  const keys = join(folder, 'keys.json');
  const create = async (...args: string[]) =>
    (await runCli(['keys', 'create', '--file', keys, ...args])).stdout.trim();
  const admin = await create('--name', 'admin', '--scopes', 'admin');
  const acme = await create('--name', 'acme', '--scopes', 'submit,search', '--tenant', 'acme');
  const writer = await create('--name', 'writer', '--scopes', 'submit', '--tenant', 'acme');
  const locked = await Embedmill.up({ env: { EMBEDMILL_API_KEYS_FILE: keys } });
  try {
    const name = uniqueName('export-tenants');
    const cli = (key: string, ...args: string[]) =>
      runCli([...args, '--data', locked.data], { env: { EMBEDMILL_KEY: key } });
    const created = await cli(admin, 'collections', 'create', name, '--model', 'static-minilm-256');
    expect(created.code).toBe(0);
    const file = join(folder, 'tenants.ndjson');
    await writeFile(
      file,
      ndjson([
        { id: 'a', text: 'of acme', tenant: 'acme' },
        { id: 'b', text: 'of another', tenant: 'other' },
      ]),
    );
    expect((await cli(admin, 'submit', file, '-c', name, '--wait')).code).toBe(0);
    const to = join(folder, 'acme.ndjson');
    expect((await cli(acme, 'export', name, '--to', to)).code).toBe(0);
    expect(linesOf(await readFile(to, 'utf8'))).toEqual([{ id: 'a', tenant: 'acme', text: 'of acme' }]);
    const others = await cli(acme, 'export', name, '--to', to, '--tenant', 'other');
    expect(others.stderr).toContain('bound to the tenant');
    const refused = await cli(writer, 'export', name, '--to', to);
    expect(refused.stderr).toContain('lacks the scope "search"');
    await cli(admin, 'collections', 'delete', name);
  } finally {
    await locked.stop();
  }
});

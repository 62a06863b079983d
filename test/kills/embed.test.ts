import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { TestS3 } from '@embedmill/sources/test-s3';
import { Embedmill, ndjson, runCli } from '../embedmill.ts';
import { expectRefused } from './refused-arguments.ts';

/** Vectors to files, through all processes, with the command line as the client. */
const MODEL = 'static-minilm-256';
const documents = Array.from({ length: 600 }, (_, n) => ({
  id: `d${n}`,
  text: Array.from(
    { length: 1 + (n % 7) },
    (_, s) => `Sentence ${s} of ${n} tells of ships and whales.`,
  ).join(' '),
  metadata: { tag: n % 2 === 0 ? 'even' : 'odd' },
}));

let folder: string;
let source: string;
let s3: TestS3;
let mill: Embedmill;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-embed-'));
  source = join(folder, 'documents.ndjson');
  await writeFile(source, ndjson(documents));
  s3 = await TestS3.start();
  mill = await Embedmill.up({
    env: { ...s3.environment, EMBEDMILL_API_S3_TARGETS: `s3://${s3.bucket}/out` },
  });
});
afterAll(async () => {
  await mill?.stop();
  await s3?.stop();
  await rm(folder, { recursive: true, force: true });
});

type Row = Record<string, unknown> & { id: string; dense: number[] };
const linesOf = (text: string): Row[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Row);

async function embedded(name: string, ...options: string[]): Promise<{ file: Buffer; report: Job }> {
  const path = join(folder, name);
  const { code, stdout, stderr } = await mill.cli(
    ...['embed', source, '--to', path, '--model', MODEL, '--json', ...options],
  );
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return { file: await readFile(path), report: JSON.parse(stdout) as Job };
}

test('embed writes Parquet: a row per chunk, with the same vectors as /v1/embeddings', async () => {
  const { file, report } = await embedded('all.parquet', '--chunk-size', '48', '--overlap', '8');
  expect(report).toMatchObject({
    collection: '',
    stored: documents.length,
    failed: 0,
    tokens: expect.any(Number),
  });
  const rows = (await parquetReadObjects({ file: Uint8Array.from(file).buffer })) as Row[];
  expect(rows).toHaveLength(report.chunks);
  expect([...new Set(rows.map(({ id }) => id))]).toEqual(documents.map(({ id }) => id));
  for (const { id, text, start, end } of rows) {
    const document = documents.find((one) => one.id === id);
    expect(text).toBe(document?.text.slice(start as number, end as number));
  }
  const [first] = rows;
  const answer = await mill.json<{ data: { embedding: number[] }[] }>('/v1/embeddings', {
    model: MODEL,
    input: [first?.['text']],
  });
  expect(first?.dense).toEqual(answer.data[0]?.embedding.map(Math.fround));
  // Nothing is stored, and no collection is created.
  expect(await mill.json('/api/v1/collections')).toEqual({ collections: [] });
});

test('a compressed line per document with --no-chunking, with the vectors of --sparse', async () => {
  const { file } = await embedded('whole.ndjson.gz', '--no-chunking', '--sparse', 'bm25');
  const rows = linesOf(gunzipSync(file).toString('utf8'));
  expect(rows.map(({ id }) => id)).toEqual(documents.map(({ id }) => id));
  for (const row of rows) {
    expect(row).toMatchObject({ chunk: 0, chunks: 1, metadata: { tag: expect.any(String) } });
    expect((row['bm25'] as { indices: number[] }).indices.length).toBeGreaterThan(0);
  }
});

test('a CSV is embedded row by row', async () => {
  const csv = join(folder, 'few.csv');
  await writeFile(csv, 'sku,body\na,ships\nb,whales\n');
  const to = join(folder, 'few.ndjson');
  const columns = ['--columns', 'id=sku,text=body', '--model', MODEL];
  expect((await mill.cli('embed', csv, '--to', to, ...columns)).code).toBe(0);
  expect(linesOf(await readFile(to, 'utf8')).map(({ id, text }) => [id, text])).toEqual([
    ['a', 'ships'],
    ['b', 'whales'],
  ]);
});

test('failed documents are listed and not in the file, and the exit code shows it', async () => {
  const bad = join(folder, 'bad.ndjson');
  await writeFile(bad, `${JSON.stringify(documents[0])}\n{"id":"broken"}\nno json\n`);
  const to = join(folder, 'bad-out.ndjson');
  const { code, stdout } = await mill.cli('embed', bad, '--to', to, '--model', MODEL);
  expect(code).toBe(3);
  expect(stdout).toContain('2 documents failed and are not in it');
  expect(linesOf(await readFile(to, 'utf8')).map(({ id }) => id)).toEqual(['d0']);
});

test('the server writes to a bucket that it may use', async () => {
  const { code, stdout } = await mill.cli(
    ...['embed', source, '--to', `s3://${s3.bucket}/out/vectors.parquet`, '--model', MODEL],
  );
  expect({ code, stdout }).toMatchObject({ code: 0 });
  expect(stdout).toContain(`wrote 600 documents to s3://${s3.bucket}/out/vectors.parquet`);
  const elsewhere = await mill.cli('embed', source, '--to', `s3://${s3.bucket}/in/x.parquet`);
  expect(elsewhere.code).toBe(1);
  expect(elsewhere.stderr).toContain('EMBEDMILL_API_S3_TARGETS');
});

test('a job whose processes were killed has each document once, and its download resumes', async () => {
  const many = Array.from({ length: 6000 }, (_, n) => ({ id: `m${n}`, text: `ship number ${n}` }));
  const profile = encodeURIComponent(JSON.stringify({ model: MODEL }));
  const submitted = await mill.call(`/api/v1/jobs?output=ndjson&profile=${profile}`, {
    method: 'POST',
    body: ndjson(many),
    headers: { 'content-type': 'application/x-ndjson' },
  });
  expect(submitted.status).toBe(202);
  const job = (await submitted.json()) as Job;
  const { processes } = await mill.state();
  await mill.underWay(job);
  process.kill(processes.worker, 'SIGKILL');
  process.kill(processes.api, 'SIGKILL');
  const done = await mill.finished(job);
  expect(done).toMatchObject({ state: 'completed', stored: many.length, chunks: many.length, failed: 0 });
  const whole = Buffer.from(await (await mill.call(`/api/v1/jobs/${job.id}/output`)).arrayBuffer());
  const to = join(folder, 'many.ndjson');
  await writeFile(`${to}.${job.id}.partial`, whole.subarray(0, 1000));
  expect((await mill.cli('embed', '--to', to, '--job', job.id)).code).toBe(0);
  const rows = linesOf(await readFile(to, 'utf8'));
  expect(rows.map(({ id }) => id)).toEqual(many.map(({ id }) => id));
  // Jobs to files are listed with the others.
  expect((await mill.cli('jobs')).stdout).toContain(job.id);
});

test('what cannot be embedded is reported before anything is done', async () => {
  await expectRefused(mill, 'embed', [
    [[source, '--to', join(folder, 'x.txt')], 'must end in'],
    [[source, '--to', join(folder, 'none', 'x.ndjson')], 'is not a folder'],
    [[source, '--to', join(folder, 'x.ndjson'), '--model', 'nosuch'], 'nosuch'],
    [['--to', join(folder, 'x.ndjson')], 'give a file'],
    [[join(folder, 'nothing.ndjson'), '--to', join(folder, 'x.ndjson')], 'cannot be read'],
  ]);
});

test('a tenant’s key embeds for its tenant: others see neither the job nor its file', async () => {
  const keys = join(folder, 'keys.json');
  const create = async (...args: string[]) =>
    (await runCli(['keys', 'create', '--file', keys, ...args])).stdout.trim();
  const acme = await create('--name', 'acme', '--scopes', 'submit,search', '--tenant', 'acme');
  const other = await create('--name', 'other', '--scopes', 'submit,search', '--tenant', 'other');
  const writer = await create('--name', 'writer', '--scopes', 'submit', '--tenant', 'acme');
  const kept = await create('--name', 'kept', '--scopes', 'submit,search', '--collections', 'docs');
  const locked = await Embedmill.up({ env: { EMBEDMILL_API_KEYS_FILE: keys } });
  try {
    const few = join(folder, 'few.ndjson');
    await writeFile(few, ndjson(documents.slice(0, 3)));
    const to = join(folder, 'acme.ndjson');
    const cli = (key: string, ...args: string[]) =>
      runCli([...args, '--data', locked.data], { env: { EMBEDMILL_KEY: key } });
    const made = await cli(acme, 'embed', few, '--to', to, '--model', MODEL, '--json');
    expect(made).toMatchObject({ code: 0 });
    const { job } = JSON.parse(made.stdout) as { job: string };
    expect(linesOf(await readFile(to, 'utf8')).map(({ tenant }) => tenant)).toEqual(
      Array.from({ length: 3 }, () => 'acme'),
    );
    const stolen = await cli(other, 'embed', '--to', join(folder, 'stolen.ndjson'), '--job', job);
    expect(stolen.code).toBe(1);
    expect(stolen.stderr).toContain('there is no job');
    const refused = await cli(writer, 'embed', few, '--to', to, '--model', MODEL);
    expect(refused.stderr).toContain('lacks the scope "search"');
    const foreign = await cli(kept, 'embed', few, '--to', to, '--model', MODEL);
    expect(foreign.stderr).toContain('is restricted to the collections docs');
  } finally {
    await locked.stop();
  }
});

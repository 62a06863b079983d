import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request, type ClientRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job, WatchedSourceView } from '@embedmill/jobs';
import { TestS3 } from '@embedmill/sources/test-s3';
import { Embedmill, ndjson, runCli } from '../embedmill.ts';

/** The spool and sources in buckets: the processes share only Redis, the store and S3. */
let s3: TestS3;
let client: S3Client;
let mill: Embedmill;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-s3-files-'));
  s3 = await TestS3.start();
  client = new S3Client({
    endpoint: s3.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
  });
  mill = await Embedmill.up({
    env: {
      ...s3.environment,
      EMBEDMILL_SPOOL_URL: `s3://${s3.bucket}/spool`,
      EMBEDMILL_API_S3_SOURCES: `s3://${s3.bucket}/in`,
      EMBEDMILL_API_SHUTDOWN_SECONDS: '1',
    },
  });
});
afterAll(async () => {
  await mill?.stop();
  client?.destroy();
  await s3?.stop();
  await rm(folder, { recursive: true, force: true });
});

const put = (key: string, body: string | Uint8Array) =>
  client.send(new PutObjectCommand({ Bucket: s3.bucket, Key: key, Body: body }));

async function keys(): Promise<string[]> {
  const { Contents = [] } = await client.send(
    new ListObjectsV2Command({ Bucket: s3.bucket, Prefix: 'spool/' }),
  );
  return Contents.flatMap(({ Key }) => Key ?? []);
}

async function unfinished(): Promise<number> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
  return Uploads.length;
}

const documents = (count: number, of = 'd') =>
  Array.from({ length: count }, (_, n) => ({ id: `${of}${n}`, text: `text number ${n} of ${of}` }));

const csv = (count: number) =>
  `sku,body,year\n${documents(count, 'c')
    .map(({ id, text }, n) => `${id},"${text}",${1900 + n}\n`)
    .join('')}`;

const parquet = (count: number) => {
  const rows = documents(count, 'p');
  return new Uint8Array(
    parquetWriteBuffer({
      rowGroupSize: 100,
      columnData: [
        { name: 'id', data: rows.map(({ id }) => id), type: 'STRING' },
        { name: 'text', data: rows.map(({ text }) => text), type: 'STRING' },
      ],
    }),
  );
};

const submitSource = (name: string, source: object) =>
  mill.json<Job>(`/api/v1/collections/${name}/jobs`, { source });

test('an upload, its failures and their retry are kept in the bucket, and no folder is used', async () => {
  const name = await mill.collection('s3-upload');
  const bad = [{ id: 'x', text: ' ' }, { id: 'y' }];
  const job = await mill.submit(name, ndjson([...documents(600), ...bad]));
  expect(await mill.finished(job)).toMatchObject({
    state: 'completed',
    documents: 602,
    stored: 600,
    failed: 2,
  });
  expect((await mill.reports(job, 'failures')).map(({ line, code }) => [line, code])).toEqual([
    [601, 'empty_text'],
    [602, 'missing_text'],
  ]);
  const left = async () => (await keys()).filter((key) => key.startsWith(`spool/${job.id}/`));
  await mill.until('its last record is there', async () =>
    (await left()).includes(`spool/${job.id}/finished.json`),
  );
  // Besides that record: its source, its manifest and its failures.
  expect(await left()).toHaveLength(4);
  const retry = await mill.json<Job>(`/api/v1/jobs/${job.id}/retry`, {});
  expect(await mill.finished(retry)).toMatchObject({
    state: 'completed',
    documents: 2,
    failed: 2,
    retryOf: job.id,
  });
  await expect(access(join(mill.data, 'spool'))).rejects.toThrow('ENOENT');
});

test('sources in a bucket are read: NDJSON in place, other formats after conversion to NDJSON', async () => {
  const name = await mill.collection('s3-sources', { filterable: { year: 'integer' } });
  await put('in/plain.ndjson', ndjson(documents(500, 'n')));
  await put('in/packed.jsonl.gz', gzipSync(ndjson(documents(500, 'g'))));
  await put('in/table.csv', csv(500));
  await put('in/table.parquet', parquet(500));
  const columns = { id: 'sku', text: 'body' };
  for (const source of [
    { s3: `s3://${s3.bucket}/in/plain.ndjson` },
    { s3: `s3://${s3.bucket}/in/packed.jsonl.gz` },
    { s3: `s3://${s3.bucket}/in/table.csv`, columns },
    { s3: `s3://${s3.bucket}/in/table.parquet` },
  ]) {
    const job = await submitSource(name, source);
    expect(await mill.finished(job), source.s3).toMatchObject({
      state: 'completed',
      stored: 500,
      source: source.s3,
    });
    await mill.until('nothing but the manifest and the last record is left', async () => {
      const left = (await keys()).filter((key) => key.startsWith(`spool/${job.id}/`));
      return (
        left.join() === ['finished.json', 'manifest.ndjson'].map((one) => `spool/${job.id}/${one}`).join()
      );
    });
  }
  const hits = await mill.search(name, {
    query: 'text number 7 of c',
    limit: 1,
    filter: { field: 'year', eq: 1907 },
  });
  expect(hits[0]).toMatchObject({ id: 'c7', metadata: { year: 1907 } });
});

test('a watched prefix is submitted when an object below it changes, and documents that disappear are deleted', async () => {
  const name = await mill.collection('s3-watched');
  const path = `/api/v1/collections/${name}/sources/bucket`;
  /** The result of the check after this many earlier ones, once its job has ended. */
  const look = async (earlier: number) => {
    let runs: WatchedSourceView['runs'] = [];
    await mill.until('it was looked at', async () => {
      ({ runs } = await mill.json<WatchedSourceView>(path));
      return runs.length > earlier;
    });
    const [run] = runs;
    return { run, job: typeof run?.job === 'string' ? await mill.finished({ id: run.job }) : undefined };
  };
  const ids = async () => {
    const { points } = await mill.json<{ points: { id: string }[] }>(`/api/v1/collections/${name}/points`);
    return points.map(({ id }) => id).sort();
  };
  await put('in/watched/a.ndjson', ndjson(documents(2, 'a')));
  await put('in/watched/deeper/b.csv', 'id,text\nb0,text of b\n');
  await put('in/watchedness.ndjson', ndjson(documents(1, 'other')));
  const place = `s3://${s3.bucket}/in/watched/`;
  const of = ['-c', name];
  const added = await mill.cli(
    'watch-source',
    'add',
    'bucket',
    place,
    ...of,
    '--every',
    '1d',
    '--max-deleted',
    '1',
  );
  expect(added, added.stderr).toMatchObject({ code: 0 });
  expect(await look(0)).toMatchObject({
    run: { outcome: 'submitted', files: 2, added: 2, error: null },
    job: { state: 'completed', mode: 'snapshot', sourceName: 'bucket', stored: 3 },
  });
  expect(await ids()).toEqual(['a0', 'a1', 'b0']);

  const again = () => mill.cli('watch-source', 'run', 'bucket', ...of);
  await again();
  expect(await look(1)).toMatchObject({ run: { outcome: 'unchanged', files: 2 }, job: undefined });

  await put('in/watched/a.ndjson', ndjson([{ id: 'a0', text: 'another text' }]));
  await put('in/watched/c.ndjson', ndjson(documents(1, 'c')));
  await client.send(new DeleteObjectCommand({ Bucket: s3.bucket, Key: 'in/watched/deeper/b.csv' }));
  await again();
  expect(await look(2)).toMatchObject({
    run: { outcome: 'submitted', files: 2, added: 1, changed: 1, removed: 1 },
    job: { state: 'completed', documents: 2, stored: 2, gone: 2 },
  });
  expect(await ids()).toEqual(['a0', 'c0']);

  // A bucket that the server may not read.
  const refused = await mill.cli(
    'watch-source',
    'add',
    'elsewhere',
    's3://other/in/',
    ...of,
    '--every',
    '1d',
  );
  expect(refused).toMatchObject({ code: 0 });
  const elsewhere = path.replace(/bucket$/, 'elsewhere');
  await mill.until('it was refused', async () => {
    const [run] = (await mill.json<WatchedSourceView>(elsewhere)).runs;
    return run?.outcome === 'failed' && run.error?.code === 'source_forbidden';
  });
  expect((await mill.cli('watch-source', 'remove', 'bucket', ...of)).code).toBe(0);
});

test('documents below a prefix are read like files: by a job, and by a watched source when they change', async () => {
  const name = await mill.collection('s3-documents');
  const path = `/api/v1/collections/${name}`;
  const guide = (what: string) => `# Guide\n\n## Install\n\n${what}\n`;
  await put('in/papers/guide.md', guide('Run it.'));
  await put(
    'in/papers/deeper/page.html',
    '<!doctype html><title>A page</title><main><h1>Head</h1><p>Words.</main>',
  );
  await put('in/papers/logo.png', '\x89PNG\r\n');
  const place = `s3://${s3.bucket}/in/papers/`;
  const job = await mill.finished(await submitSource(name, { files: [place] }));
  expect(job).toMatchObject({ state: 'completed', documents: 2, stored: 2, failed: 0 });
  interface Whole {
    title: string;
    text: string;
    structure: { sections: { headings: string[] }[] };
  }
  const { documents: stored } = await mill.json<{ documents: { id: string }[] }>(`${path}/documents`);
  const ids = stored.map(({ id }) => id).sort();
  expect(ids).toEqual([expect.stringMatching(/deeper\/page\.html$/), expect.stringMatching(/guide\.md$/)]);
  const document = (id: string) => mill.json<Whole>(`${path}/documents/${encodeURIComponent(id)}`);
  expect(await document(ids[1]!)).toMatchObject({ title: 'Guide', text: 'Guide\n\nInstall\n\nRun it.' });

  const of = ['-c', name];
  const added = await mill.cli('watch-source', 'add', 'papers', place, ...of, '--every', '1d');
  expect(added, added.stderr).toMatchObject({ code: 0 });
  const look = async (earlier: number) => {
    let runs: WatchedSourceView['runs'] = [];
    await mill.until('it was looked at', async () => {
      ({ runs } = await mill.json<WatchedSourceView>(`${path}/sources/papers`));
      return runs.length > earlier;
    });
    const [run] = runs;
    return typeof run?.job === 'string' ? mill.finished({ id: run.job }) : undefined;
  };
  expect(await look(0)).toMatchObject({ state: 'completed', documents: 2, failed: 0 });
  await put('in/papers/guide.md', guide('Run it twice.'));
  await mill.cli('watch-source', 'run', 'papers', ...of);
  expect(await look(1)).toMatchObject({ state: 'completed', stored: 1 });
  expect((await document(ids[1]!)).text).toContain('Run it twice.');
  expect((await document(ids[1]!)).structure.sections.map(({ headings }) => headings)).toContainEqual([
    'Guide',
    'Install',
  ]);
  expect((await mill.cli('watch-source', 'remove', 'papers', ...of)).code).toBe(0);
});

test('objects elsewhere, and objects that do not exist, are refused', async () => {
  const name = await mill.collection('s3-refused');
  await put('secret.ndjson', ndjson(documents(1)));
  for (const key of ['secret.ndjson', 'in', 'inside/x.ndjson', 'in/../secret.ndjson'])
    await expect(submitSource(name, { s3: `s3://${s3.bucket}/${key}` }), key).rejects.toThrow(
      /source_forbidden|source_unreadable/,
    );
  await expect(submitSource(name, { s3: 's3://other/in/x' })).rejects.toThrow(/403.*source_forbidden/);
  await expect(submitSource(name, { s3: `s3://${s3.bucket}/in/none` })).rejects.toThrow(
    /422.*no such object/,
  );
});

test('an unreadable row of a table fails alone, with its number', async () => {
  const name = await mill.collection('s3-malformed');
  await put('in/bad.csv', 'id,text\na,x\nb,"y\n');
  const job = await mill.finished(await submitSource(name, { s3: `s3://${s3.bucket}/in/bad.csv` }));
  expect(job).toMatchObject({ state: 'completed', documents: 2, stored: 1, failed: 1 });
  expect(await mill.reports(job, 'failures')).toMatchObject([
    { line: 2, message: expect.stringContaining('row 2') as string },
  ]);
});

test('the command line uploads CSV, Parquet and gzip, and submits objects of a bucket', async () => {
  const name = await mill.collection('s3-cli');
  const { url } = await mill.state();
  await writeFile(join(folder, 'table.csv.gz'), gzipSync(csv(30)));
  await writeFile(join(folder, 'table.parquet'), parquet(40));
  await writeFile(join(folder, 'lines.ndjson.gz'), gzipSync(ndjson(documents(50))));
  await put('in/cli.data', csv(60));
  const submit = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli([
      'submit',
      '-c',
      name,
      '--url',
      url,
      '--json',
      '--wait',
      ...args,
    ]);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout) as { documents: number; failed: number };
  };
  const columns = ['--columns', 'id=sku,text=body'];
  expect(await submit(join(folder, 'table.csv.gz'), ...columns)).toMatchObject({ documents: 30, failed: 0 });
  expect(await submit(join(folder, 'table.parquet'))).toMatchObject({ documents: 40, failed: 0 });
  expect(await submit(join(folder, 'lines.ndjson.gz'))).toMatchObject({ documents: 50, failed: 0 });
  const source = ['--source', `s3://${s3.bucket}/in/cli.data`, '--format', 'csv'];
  expect(await submit(...source, ...columns)).toMatchObject({ documents: 60, failed: 0 });
});

/** Starts an upload that has sent parts to S3 and continues. */
async function beginUpload(name: string): Promise<ClientRequest> {
  const { url } = await mill.state();
  const sending = request(new URL(`/api/v1/collections/${name}/jobs`, url), {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  sending.on('error', () => {});
  const line = Buffer.from(ndjson([{ id: 'a', text: 'x', metadata: { filler: 'f'.repeat(1 << 20) } }]));
  for (let n = 0; n < 20; n += 1) sending.write(line);
  await mill.until('the upload is under way', async () => (await unfinished()) > 0);
  return sending;
}

test('an API that is killed in the middle of an upload leaves no job and no object', async () => {
  const name = await mill.collection('s3-killed');
  const before = await keys();
  const sending = await beginUpload(name);
  await mill.killApi();
  sending.destroy();
  expect((await keys()).filter((key) => !before.includes(key))).toEqual([]);
  expect((await mill.json<{ jobs: Job[] }>(`/api/v1/jobs?collection=${name}`)).jobs).toEqual([]);
  // Its parts, which are not objects, are removed when an API starts a day later, like partial files.
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
  for (const { Key, UploadId } of Uploads)
    await client.send(new AbortMultipartUploadCommand({ Bucket: s3.bucket, Key, UploadId }));
});

test('if S3 goes away during a job and comes back, no document is lost', async () => {
  const name = await mill.collection('s3-outage');
  const job = await mill.submit(name, ndjson(documents(3000)));
  await mill.until('the job is under way', async () => {
    const { done, state } = await mill.json<Job>(`/api/v1/jobs/${job.id}`);
    if (state === 'completed') throw new Error('the job was over before anything could be killed');
    return done > 0;
  });
  await s3.kill();
  const { done } = await mill.json<Job>(`/api/v1/jobs/${job.id}`);
  const { metrics } = await mill.state();
  const page = async () => (await fetch(metrics.worker)).text();
  await mill.until('a shard was given back', async () => (await page()).includes('outcome="returned"'));
  await s3.run();
  expect(await mill.finished(job)).toMatchObject({
    state: 'completed',
    documents: 3000,
    done: 3000,
    stored: 3000,
    failed: 0,
    skipped: 0,
  });
  expect(done).toBeLessThan(3000);
});

test('an API that is stopped in the middle of an upload leaves nothing of it', async () => {
  const before = await keys();
  const sending = await beginUpload(await mill.collection('s3-stopped'));
  await mill.stop();
  sending.destroy();
  expect(await unfinished()).toBe(0);
  expect((await keys()).filter((key) => !before.includes(key))).toEqual([]);
});

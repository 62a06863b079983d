import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStoringApi, STORES, type StoringApi } from '../../../apps/api/src/testing/storing-api.ts';
import { createClient, EmbedmillError, isFinished, type Client, type Document, type Job } from './index.ts';

let storing: StoringApi;
let client: Client;

beforeAll(async () => {
  storing = await startStoringApi(STORES[0]![1]);
  client = createClient({ url: `${storing.api.url}/` });
});
afterAll(() => storing.api.close());

async function finished({ id }: { id: string }): Promise<Job> {
  let last: Job | undefined;
  for await (const job of client.watch(id)) last = job;
  expect(last?.id).toBe(id);
  return last!;
}

test('documents of an array become a job, which is watched to its end, and are found', async () => {
  const collection = await client.collections.create('array', { filterable: { year: 'integer' } });
  expect(collection).toMatchObject({
    name: 'array',
    documents: 0,
    profile: { filterable: { year: 'integer' } },
  });
  const documents = Array.from({ length: 20 }, (_, n) => ({
    id: n,
    text: `whale number ${n}`,
    metadata: { year: 1850 + n },
  }));
  const job = await finished(await client.submit('array', documents));
  expect(job).toMatchObject({ state: 'completed', documents: 20, stored: 20, failed: 0 });
  const { hits } = await client.search('array', {
    query: 'a whale',
    limit: 3,
    filter: { field: 'year', gte: 1868 },
  });
  expect(hits.map(({ id }) => id).sort()).toEqual(['18', '19']);
  expect(await client.documents.get('array', '7')).toMatchObject({ text: 'whale number 7' });
  expect((await client.collections.list()).map(({ name }) => name)).toContain('array');
});

test('an iterable is asked for more only as the body is sent, and closed whatever happens', async () => {
  await client.collections.create('lazy');
  let closed = false;
  async function* cursor(): AsyncGenerator<Document> {
    try {
      for (let n = 0; n < 300; n += 1) yield { id: `d${n}`, text: `row ${n} of a table `.repeat(30) };
    } finally {
      closed = true;
    }
  }
  const sent: number[] = [];
  const job = await client.submit('lazy', cursor(), { onSent: (bytes) => void sent.push(bytes) });
  expect(closed).toBe(true);
  expect(sent.length).toBeGreaterThan(1);
  expect((await finished(job)).stored).toBe(300);
  closed = false;
  const refused = client.submit('nowhere', cursor());
  await expect(refused).rejects.toMatchObject({ code: 'collection_not_found', status: 404 });
  await expect.poll(() => closed).toBe(true);
});

test('what the documents themselves fail with is what the submission fails with, and no job is made', async () => {
  await client.collections.create('failing');
  async function* cursor(): AsyncGenerator<Document> {
    yield { id: 'one', text: 'a row' };
    throw new RangeError('the database is gone');
  }
  await expect(client.submit('failing', cursor())).rejects.toThrow(RangeError);
  expect((await client.jobs.list({ collection: 'failing' })).jobs).toEqual([]);
});

test('the same key gives the same job; bytes, files and streams are taken as they are', async () => {
  await client.collections.create('bytes');
  const lines = '{"id":"a","text":"x"}\n{"id":"b","text":"y"}\n';
  const file = new File([lines], 'some.ndjson', { type: 'application/x-ndjson' });
  const idempotencyKey = 'one key';
  const job = await client.submit('bytes', file, { idempotencyKey });
  const again = await client.submit('bytes', new Blob([lines]).stream(), { idempotencyKey });
  expect(again.id).toBe(job.id);
  expect((await finished(job)).stored).toBe(2);
  const csv = new Blob(['sku,body\nc,z\n'], { type: 'text/csv' });
  const reading = { columns: { id: 'sku', text: 'body' } };
  expect(await finished(await client.submit('bytes', csv, { reading, sourceName: 'table' }))).toMatchObject({
    stored: 1,
    sourceName: 'table',
  });
});

test('failures name the documents, and may be tried again', async () => {
  await client.collections.create('poisoned');
  storing.poison = 'poison';
  const job = await finished(
    await client.submit('poisoned', [
      { id: 'good', text: 'fine' },
      { id: 'bad', text: 'poison' },
    ]),
  );
  storing.poison = undefined;
  const failures = await Array.fromAsync(client.failures(job.id));
  expect(failures).toMatchObject([{ id: 'bad', line: 2, code: 'engine_failed' }]);
  expect(await Array.fromAsync(client.jobs.warnings(job.id))).toEqual([]);
  const retried = await client.jobs.retry(job.id);
  expect(await finished(retried)).toMatchObject({ retryOf: job.id, stored: 1 });
  await expect(client.jobs.retry(retried.id)).rejects.toMatchObject({ code: 'nothing_to_retry' });
});

test('an error has the catalogue’s code, the status, and where in the request it is', async () => {
  const wrong = client.search('array', { query: 'x', limit: -1 });
  await expect(wrong).rejects.toBeInstanceOf(EmbedmillError);
  await expect(wrong).rejects.toMatchObject({
    code: 'invalid_request',
    status: 400,
    path: 'limit',
    retryable: false,
  });
  await expect(client.jobs.get('job_none')).rejects.toMatchObject({ code: 'job_not_found', status: 404 });
  await expect(client.embed(['x'], { model: 'none' })).rejects.toMatchObject({ code: 'model_not_found' });
});

test('embeds texts, as queries or as documents', async () => {
  const [one, other] = await client.embed(['a whale', 'a bank']);
  expect(one).toHaveLength(384);
  expect(Math.hypot(...one!)).toBeCloseTo(1, 5);
  expect(other).not.toEqual(one);
  expect(await client.embed(['a whale'], { role: 'query' })).not.toEqual([one]);
});

test('documents are counted and deleted by ids and by a filter', async () => {
  await client.collections.create('deleted', { filterable: { year: 'integer' } });
  const documents = [1, 2, 3].map((n) => ({ id: `d${n}`, text: `text ${n}`, metadata: { year: n } }));
  await finished(await client.submit('deleted', documents));
  const filter = { field: 'year', gte: 2 };
  expect(await client.documents.count('deleted', { filter })).toBe(2);
  expect((await finished(await client.documents.delete('deleted', { ids: ['d1'] }))).deleted).toBe(1);
  const points = await Array.fromAsync(client.documents.points('deleted', { limit: 1 }));
  expect(points.map(({ id }) => id).sort()).toEqual(['d2', 'd3']);
});

test('aliases, pausing, usage and readiness', async () => {
  await client.collections.create('aliased');
  expect(await client.aliases.move('alias', 'aliased')).toEqual({ name: 'alias', collection: 'aliased' });
  expect((await client.collections.get('alias')).name).toBe('aliased');
  await client.aliases.remove('alias');
  expect(await client.aliases.list()).toEqual([]);
  expect(await client.queue.pause()).toEqual({ paused: true });
  expect(await client.queue.resume()).toEqual({ paused: false });
  expect((await client.usage.report({ groupBy: 'day' })).groupBy).toEqual(['day']);
  expect(await client.usage.csv({ groupBy: 'tenant' })).toMatch(/^tenant,/);
  expect(await client.readiness()).toMatchObject({ ok: true });
  await client.collections.delete('aliased');
  await expect(client.collections.get('aliased')).rejects.toMatchObject({ code: 'collection_not_found' });
});

test('a cancelled job ends a watch, and a signal ends one that goes on', async () => {
  await client.collections.create('held');
  const held = Promise.withResolvers<void>();
  const job = await storing.hold('held', [{ id: 'a', text: 'x' }], held.promise);
  const leaving = new AbortController();
  const watched = (async () => {
    for await (const { state } of client.watch(job.id, { signal: leaving.signal })) {
      expect(isFinished(state)).toBe(false);
      leaving.abort(new Error('enough'));
    }
  })();
  await expect(watched).rejects.toThrow('enough');
  await client.jobs.cancel(job.id);
  held.resolve();
  expect((await finished(job)).state).toBe('cancelled');
});

test('the README’s example runs as it stands', async () => {
  const folder = join(import.meta.dirname, '..');
  const [, code = ''] = /```js\n(.*?)```/s.exec(readFileSync(join(folder, 'README.md'), 'utf8')) ?? [];
  const here = code.replace('http://127.0.0.1:7070', storing.api.url);
  expect(here).not.toBe(code);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', `${here}\nconsole.log(hits.length, vector.length);`],
    // Numbers are printed in colours if the environment requests it.
    { cwd: folder, env: { ...process.env, FORCE_COLOR: '0' } },
  );
  expect(stdout).toContain('completed 2\n2 384\n');
});

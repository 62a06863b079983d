import { CohereClient, CohereError } from 'cohere-ai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ShardResult, TenantId } from '@embedmill/jobs';
import { readDatasetFile, type ReadRow } from '../libs/outputs/src/dataset-file.fixture.ts';
import { testKeys } from '../apps/api/src/access/test-keys.ts';
import { sweepClientRecords } from '../apps/api/src/batches/batch-retention.ts';
import { NESTED } from '../apps/api/src/testing/fake-worker.ts';
import { startMill, type Mill } from './living/mill.ts';

/** Cohere's datasets and embed jobs, by its own client, over the real API, queue, dispatcher, spool and walk. */
const MODEL = NESTED.name;
const DAY_MS = 24 * 3600 * 1000;
type Keys = Awaited<ReturnType<typeof testKeys>>;
type Format = Partial<Parameters<CohereClient['datasets']['create']>[2]> & { file?: string };

let mill: Mill;
let keys: Keys;
let token: string;
let acme: CohereClient;
let other: CohereClient;

beforeAll(async () => {
  keys = await testKeys();
  const scopes: ('submit' | 'search')[] = ['submit', 'search'];
  const tokenOf = async (tenant: string) =>
    (await keys.add({ name: tenant, scopes, tenant: tenant as TenantId })).key;
  const [own, others] = [await tokenOf('acme'), await tokenOf('other')];
  mill = await startMill({ config: { access: keys.access } });
  const clientOf = (key: string) => new CohereClient({ token: key, environment: mill.url, maxRetries: 0 });
  token = own;
  acme = clientOf(own);
  other = clientOf(others);
});
afterAll(async () => {
  await mill?.close();
  await keys?.remove();
});

const jsonl = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

async function uploaded(content: string, { file = 'rows.jsonl', ...format }: Format = {}): Promise<string> {
  const data = new File([content], file);
  const { id } = await acme.datasets.create(data, undefined, {
    name: 'rows',
    type: 'embed-input',
    ...format,
  });
  return id ?? '';
}

const embedding = (datasetId: string, how: object = {}) => ({
  model: MODEL,
  datasetId,
  inputType: 'search_document' as const,
  ...how,
});

async function begun(datasetId: string, how: object = {}): Promise<string> {
  return (await acme.embedJobs.create(embedding(datasetId, how))).jobId;
}

async function ended(id: string) {
  let job = await acme.embedJobs.get(id);
  const isOver = async () => (job = await acme.embedJobs.get(id)).status !== 'processing';
  await expect.poll(isOver, { timeout: 60_000 }).toBe(true);
  return job;
}

async function partOf(id: string | undefined): Promise<{ url: string; fields: string[] }> {
  const { dataset } = await acme.datasets.get(id ?? '');
  return { url: dataset.datasetParts?.[0]?.url ?? '', fields: dataset.preserveFields ?? [] };
}

/** Reads them as the Python client does: without a key. */
async function rowsOf(id: string | undefined): Promise<ReadRow[]> {
  const { url, fields } = await partOf(id);
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return readDatasetFile(Buffer.from(await response.arrayBuffer()), fields).rows;
}

async function vectorOf(text: string): Promise<number[]> {
  const [point] = await mill.pointsOf({ id: 'x', text, metadata: {} }, { mode: 'document' });
  return (point?.dense ?? []).map(Math.fround);
}

test('rows are embedded in order, with their kept fields, in every embedding type', async () => {
  const id = await uploaded(
    jsonl([
      { text: 'a whale', wiki_id: 7, views: 1.5, langs: 38, secret: 'x' },
      { text: 'a ship', wiki_id: 2 ** 40, views: null, tags: ['a'] },
    ]),
    { keepFields: ['wiki_id', 'views'], optionalFields: ['langs', 'tags'] },
  );
  const { dataset } = await acme.datasets.get(id);
  expect(dataset).toMatchObject({
    name: 'rows',
    datasetType: 'embed-input',
    validationStatus: 'validated',
    preserveFields: ['wiki_id', 'views', 'langs', 'tags'],
  });
  const types = ['float', 'int8', 'ubinary'];
  const job = await ended(await begun(id, { name: 'mine', embeddingTypes: types }));
  expect(job).toMatchObject({
    name: 'mine',
    status: 'complete',
    inputDatasetId: id,
    model: MODEL,
    truncate: 'END',
    meta: { billedUnits: { inputTokens: 8 }, warnings: [] },
  });
  const rows = await rowsOf(job.outputDatasetId);
  expect(rows).toMatchObject([
    { text: 'a whale', wiki_id: 7, views: 1.5, langs: 38, tags: null },
    { text: 'a ship', wiki_id: 2 ** 40, views: null, langs: null, tags: '["a"]' },
  ]);
  for (const { text, embeddings } of rows) {
    expect(embeddings['float']).toEqual(await vectorOf(text));
    expect(embeddings['int8']).toHaveLength(NESTED.dims);
    expect(embeddings['ubinary']).toHaveLength(NESTED.dims / 8);
    expect([embeddings['uint8'], embeddings['binary']]).toEqual([null, null]);
  }
  const result = await acme.datasets.list({ datasetType: 'embed-result' });
  expect(result.datasets?.map((one) => one.id)).toEqual([job.outputDatasetId]);
  expect((await acme.embedJobs.list()).embedJobs?.map(({ jobId }) => jobId)).toEqual([job.jobId]);
  expect((await acme.datasets.getUsage()).organizationUsage).toBeGreaterThan(0);
});

test('CSV is read with its delimiter, and a text that is too long is truncated at the requested end', async () => {
  const long = `${'word '.repeat(600)}whale`;
  const content = `id;text\n1;a whale\n2;"${long}"\n`;
  const id = await uploaded(content, { file: 'rows.csv', csvDelimiter: ';', keepFields: 'id' });
  const job = await ended(await begun(id, { truncate: 'START' }));
  expect(job.truncate).toBe('START');
  const [first, second] = await rowsOf(job.outputDatasetId);
  expect([first?.['id'], second?.['id']]).toEqual(['1', '2']);
  expect(first?.embeddings['float']).toEqual(await vectorOf('a whale'));
  expect(second?.embeddings['float']).not.toEqual(await vectorOf(long));
});

describe('rows that cannot be embedded', () => {
  const good = { text: 'a whale', id: 1 };
  test.each<[string, unknown[], Format, RegExp]>([
    ['no text', [good, { id: 2 }], {}, /^row 2 has no string in "text"/],
    ['an empty text', [good, good, { text: ' ' }], {}, /^row 3 has an empty "text"/],
    [
      'a missing field that should be kept',
      [good, { text: 'x' }],
      { keepFields: ['id'] },
      /^row 2 has no "id"/,
    ],
    ['a row that is not an object', [good, [1]], {}, /^row 2 is not a JSON object/],
    ['no rows', [], {}, /no rows to embed/],
  ])('%s: the dataset is invalid, and a job of it is refused', async (_, rows, format, says) => {
    const id = await uploaded(jsonl(rows), format);
    const { dataset } = await acme.datasets.get(id);
    expect(dataset.validationStatus).toBe('failed');
    expect(dataset.validationError).toMatch(says);
    await expect(begun(id)).rejects.toMatchObject({ statusCode: 422 });
  });

  test('they are left out if requested, and those that fail later are counted', async () => {
    const rows = [good, { id: 2 }, 'no object', { text: '\u{13000}', id: 3 }, { text: 'a ship', id: 4 }];
    const id = await uploaded(jsonl(rows), { skipMalformedInput: true, keepFields: ['id'] });
    const { dataset } = await acme.datasets.get(id);
    expect(dataset.validationStatus).toBe('validated');
    expect(dataset.validationWarnings).toEqual([
      expect.stringMatching(/^row 2 has no string in "text".*the row was skipped$/),
      expect.stringMatching(/^row 3 is not a JSON object.*the row was skipped$/),
    ]);
    const job = await ended(await begun(id));
    expect(job.status).toBe('complete');
    expect(job.meta?.warnings).toEqual([expect.stringMatching(/^1 of 3 rows could not be embedded/)]);
    expect((await rowsOf(job.outputDatasetId)).map((row) => row['id'])).toEqual([1, 4]);
  });
});

test('each row is written once, in order, with the same bytes, however often shards run', async () => {
  const rows = Array.from({ length: 700 }, (_, n) => ({ text: `word${n} of ${n % 13}`, n }));
  const id = await uploaded(jsonl(rows), { keepFields: ['n'] });
  const cut = new Set<number>();
  const walks: ((walk: () => Promise<ShardResult>, index: number) => Promise<ShardResult>)[] = [
    (walk) => walk(),
    async (walk) => (await Promise.all([walk(), walk()]))[0],
    async (walk, index) => {
      const result = await walk();
      if (cut.has(index)) return result;
      cut.add(index);
      throw new Error('the worker ended');
    },
  ];
  const vectors = new Set<string>();
  for (const walkBy of walks) {
    mill.walkBy(({ index }, walk) => walkBy(() => walk(), index));
    const read = await rowsOf((await ended(await begun(id))).outputDatasetId);
    expect(read.map((row) => row['n'])).toEqual(rows.map(({ n }) => n));
    vectors.add(JSON.stringify(read));
  }
  mill.walkBy((_shard, walk) => walk());
  expect(vectors.size).toBe(1);
});

test('a job that is cancelled, or whose dispatcher ends', async () => {
  const rows = Array.from({ length: 4000 }, (_, n) => ({ text: `word${n % 100}`, n }));
  const id = await uploaded(jsonl(rows), { keepFields: ['n'] });
  for (const how of ['cancelled', 'taken over']) {
    const { promise: first, resolve: seen } = Promise.withResolvers<void>();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    mill.walkBy(async ({ index }, walk) => {
      if (index === 1) seen();
      if (index > 0) await held;
      return walk();
    });
    const job = await begun(id);
    await first;
    if (how === 'cancelled') await acme.embedJobs.cancel(job);
    else await mill.killDispatcher();
    mill.walkBy((_shard, walk) => walk());
    release();
    const done = await ended(job);
    if (how === 'cancelled') {
      expect(done).toMatchObject({ status: 'cancelled' });
      expect(done.outputDatasetId).toBe(undefined);
    } else
      expect((await rowsOf(done.outputDatasetId)).map((row) => row['n'])).toEqual(rows.map(({ n }) => n));
  }
});

test('the same Idempotency-Key creates one job', async () => {
  const [id, another] = [await uploaded('{"text":"a"}\n'), await uploaded('{"text":"b"}\n')];
  const create = (dataset: string) =>
    mill.json(
      'POST',
      '/v1/embed-jobs',
      { model: MODEL, dataset_id: dataset, input_type: 'search_document' },
      { authorization: `Bearer ${token}`, 'idempotency-key': 'once' },
    );
  const [first, second] = [await create(id), await create(id)];
  expect(second.body).toEqual(first.body);
  expect((await create(another)).status).toBe(409);
});

test('a tenant’s datasets and jobs are its own, and a file is open to whoever has its address', async () => {
  const id = await uploaded('{"text":"a whale"}\n');
  const job = await ended(await begun(id));
  const output = job.outputDatasetId ?? '';
  for (const asked of [
    () => other.datasets.get(id),
    () => other.datasets.delete(id),
    () => other.datasets.get(output),
    () => other.embedJobs.get(job.jobId),
    () => other.embedJobs.cancel(job.jobId),
    () => other.embedJobs.create(embedding(id)),
  ])
    await expect(asked()).rejects.toMatchObject({ statusCode: 404 });
  expect((await other.datasets.list()).datasets).toEqual([]);
  expect((await other.embedJobs.list()).embedJobs).toEqual([]);
  const { url } = await partOf(output);
  expect((await fetch(url, { headers: { range: 'bytes=0-2' } })).status).toBe(206);
  for (const secret of ['', 'x', url.slice(-31)]) {
    const guess = new URL(url);
    guess.searchParams.set('secret', secret);
    expect((await fetch(guess)).status).toBe(secret === '' ? 400 : 404);
  }
  await acme.datasets.delete(output);
  expect((await fetch(url)).status).toBe(404);
});

test('unsupported options are refused, and old records expire', async () => {
  const id = await uploaded('{"text":"a whale"}\n');
  for (const [asked, says] of [
    [() => uploaded('x', { type: 'chat-finetune-input' }), 'use embed-input'],
    [() => uploaded('x', { keepOriginalFile: true }), 'keep_original_file'],
    [() => uploaded('x', { textSeparator: ',' }), 'text_separator'],
    [() => uploaded('x', { keepFields: ['no name'] }), 'keep_fields'],
    [() => begun(id, { inputType: 'classification' }), 'input_type'],
    [() => begun(id, { embeddingTypes: ['base64'] }), 'embedding_types'],
  ] as const)
    await expect(asked()).rejects.toSatisfy(
      (error) => error instanceof CohereError && error.message.includes(says),
    );
  await expect(begun(id, { model: 'none' })).rejects.toMatchObject({ statusCode: 404 });
  const { spool, queue } = mill.parts;
  const log = { info: () => {}, warn: () => {} };
  await sweepClientRecords({ queue, spool, log }, 30 * DAY_MS, Date.now() + 31 * DAY_MS);
  await expect(acme.datasets.get(id)).rejects.toMatchObject({ statusCode: 404 });
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CollectionName, Job } from '@embedmill/jobs';
import { NESTED } from '../../apps/api/src/testing/fake-worker.ts';
import { ndjson } from '../embedmill.ts';
import { startMill, type Mill } from './mill.ts';

/** A collection is copied into another one with other chunks and sparse schemes while it is written to. */
let mill: Mill;
beforeAll(async () => {
  mill = await startMill();
});
afterAll(() => mill?.close());

const COARSE = { mode: 'tokens', size: 64, overlap: 0, boundary: 'sentence' } as const;
const FINE = { ...COARSE, size: 32 };

async function created(name: string, profile: object): Promise<void> {
  const body = { name, profile: { model: NESTED.name, ...profile } };
  expect((await mill.json('POST', '/api/v1/collections', body)).status).toBe(201);
}

async function begun(name: string, into: string, profile: object): Promise<Job> {
  const answer = await mill.json('POST', `/api/v1/collections/${name}/migration`, { into, profile });
  expect(answer).toMatchObject({ status: 202 });
  return (answer.body as { job: Job }).job;
}

const stored = async (collection: string, documents: object[]): Promise<Job> =>
  mill.finished(await mill.submitted(collection, ndjson(documents)));

/** Everything stored of each document, except which job wrote it. */
async function contentsOf(name: string): Promise<object[]> {
  const points = await mill.store.scanPoints(name as CollectionName, { limit: 10_000 });
  return points
    .map(({ dense, sparse, payload }) => ({
      payload: { ...payload, job_id: '', sequence: 0, fingerprint: '' },
      dense: [...dense],
      sparse: JSON.stringify(sparse?.bm25 && [[...sparse.bm25.indices], [...sparse.bm25.values]]),
    }))
    .sort((a, b) => {
      const [one, other] = [a.payload, b.payload];
      return one.document_id.localeCompare(other.document_id) || one.chunk_index - other.chunk_index;
    });
}

const sentence = (n: number): string => `Whale ${n * 7} swam to island ${n * 13} with ${n % 5} others.`;
/** White space of all kinds, also at possible ends of chunks. */
const GAPS = [' ', '  ', '\n', '\n\n', ' \t', '\r\n\r\n', '\u3000'];
const text = (from: number, sentences: number): string =>
  `${from % 3 === 0 ? '\n ' : ''}${Array.from(
    { length: sentences },
    (_, n) => sentence(from + n) + (GAPS[(from + n) % GAPS.length] ?? ' '),
  ).join('')}`;
const documentOf = (n: number, version = 0) => ({
  id: `d${n}`,
  text: text(100 * n + 7 * version, 1 + ((n * 5) % 23)),
  ...(n % 4 === 0 && { title: `The title ${n}` }),
  metadata: { n, version },
});
const documents = Array.from({ length: 60 }, (_, n) => documentOf(n));

test('a copy with other chunks and BM25 is filled, switched over to, rolled back, and ended', async () => {
  await created('books-1', { chunking: COARSE });
  await created('fresh', { chunking: FINE, sparse: { bm25: {} } });
  await mill.json('PUT', '/api/v1/aliases/books', { collection: 'books-1' });
  await stored('books', documents);
  await stored('fresh', documents);

  const job = await begun('books', 'books-2', { chunking: FINE, sparse: { bm25: {} } });
  const copied = await mill.finished(job);
  expect(copied).toMatchObject({ state: 'completed', documents: 60, stored: 60, failed: 0 });
  expect(await mill.store.getCollection('books-2' as CollectionName)).toMatchObject({
    twin: { name: 'books-1', filled: true },
  });
  expect(await contentsOf('books-2')).toEqual(await contentsOf('fresh'));

  // Changed, new and deleted documents reach both collections, whichever of them is named.
  const changed = [documentOf(3, 1), documentOf(100)];
  expect(await stored('books', changed)).toMatchObject({ stored: 2 });
  expect(await stored('books-2', [documentOf(4, 1)])).toMatchObject({ stored: 1 });
  await mill.json('DELETE', '/api/v1/collections/books/documents/d5');
  const cutOver = await mill.json('POST', '/api/v1/collections/books/migration/exchange');
  expect(cutOver).toMatchObject({ status: 200, body: { name: 'books-2', documents: 60 } });
  await mill.json('DELETE', '/api/v1/collections/books/documents/d6');
  expect(await stored('books', [documentOf(7, 1)])).toMatchObject({ stored: 1 });
  for (const name of ['books-1', 'books-2']) {
    const { body } = await mill.json('GET', `/api/v1/collections/${name}`);
    expect(body).toMatchObject({ documents: 59 });
    for (const n of [3, 4, 7]) expect(await textOf(name, `d${n}`)).toBe(documentOf(n, 1).text);
    for (const n of [5, 6]) expect(await textOf(name, `d${n}`)).toBeUndefined();
  }

  const back = await mill.json('POST', '/api/v1/collections/books/migration/exchange');
  expect(back).toMatchObject({ status: 200, body: { name: 'books-1', documents: 59 } });
  const ended = () => mill.json('DELETE', '/api/v1/collections/books/migration');
  await mill.json('POST', '/api/v1/collections/books/migration/exchange');
  // Named by the collection that clients no longer use, it would remove the other one.
  const wrong = await mill.json('DELETE', '/api/v1/collections/books-1/migration');
  expect(wrong).toMatchObject({ status: 409, body: { code: 'migration_state' } });
  expect(await ended()).toMatchObject({ status: 200, body: { name: 'books-2', documents: 59 } });
  expect((await mill.json('GET', '/api/v1/collections/books-1')).status).toBe(404);
  expect(await ended()).toMatchObject({ status: 409, body: { code: 'migration_state' } });
  expect(await stored('books', [documentOf(8, 1)])).toMatchObject({ stored: 1 });
});

async function textOf(name: string, id: string): Promise<string | undefined> {
  const { body } = await mill.json('GET', `/api/v1/collections/${name}/documents/${id}`);
  return (body as { text?: string }).text;
}

test('if only sparse vectors differ, no dense vector is computed', async () => {
  await created('plain', { chunking: COARSE });
  await stored('plain', documents);
  const before = mill.tokens;
  const job = await mill.finished(await begun('plain', 'worded', { sparse: { bm25: {} } }));
  expect(job).toMatchObject({ stored: 60, tokens: 0 });
  expect(job.reused).toBe(job.chunks);
  expect(mill.tokens).toBe(before);
  const words = await mill.store.scanPoints('worded' as CollectionName, { limit: 1000 });
  expect(words.every(({ sparse }) => (sparse?.bm25?.indices.length ?? 0) > 0)).toBe(true);
  // Since the chunks are the same, each is embedded once and copied to the other collection.
  const tokens = mill.tokens;
  const added = await stored('plain', [documentOf(200)]);
  expect(mill.tokens - tokens).toBe(added.tokens);
});

test('a cancelled copy cannot be switched over to, continues when started again, and leaves nothing when given up', async () => {
  await created('long', { chunking: COARSE });
  await mill.json('PUT', '/api/v1/aliases/live', { collection: 'long' });
  await stored('live', documents);
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  mill.walkBy(async ({ purpose }, walk) => {
    if (purpose === 'copy') await held;
    return walk();
  });
  const job = await begun('live', 'longer', { chunking: { mode: 'document' } });
  const exchange = () => mill.json('POST', '/api/v1/collections/live/migration/exchange');
  expect(await exchange()).toMatchObject({ status: 409, body: { code: 'migration_state' } });
  expect((await mill.json('POST', `/api/v1/jobs/${job.id}/cancel`)).status).toBeLessThan(300);
  release();
  mill.walkBy((_, walk) => walk());
  expect((await mill.finished(job)).state).toMatch(/cancelled|completed/);
  const again = await mill.finished(await begun('live', 'longer', { chunking: { mode: 'document' } }));
  expect(again).toMatchObject({ state: 'completed', failed: 0, documents: 60 });
  expect(again.stored + again.skipped).toBe(60);
  expect(
    (await mill.json('POST', '/api/v1/collections/live/migration', { model: 'all-MiniLM-L6-v2' })).status,
  ).toBe(409);
  const other = await mill.json('POST', '/api/v1/collections/live/migration', { into: 'third', profile: {} });
  expect(other).toMatchObject({ status: 409, body: { code: 'migration_state' } });
  const ended = await mill.json('DELETE', '/api/v1/collections/live/migration');
  expect(ended).toMatchObject({ status: 200, body: { name: 'long', documents: 60 } });
  expect((await mill.json('GET', '/api/v1/collections/longer')).status).toBe(404);
});

test('the vectors of a migration are known by their hashes, so later changes embed only what changed', async () => {
  await created('shrinking', { chunking: COARSE });
  await stored('shrinking', documents);
  const path = '/api/v1/collections/shrinking/migration';
  const { body } = await mill.json('POST', path, { model: NESTED.name, dims: 4 });
  expect(await mill.finished((body as { job: Job }).job)).toMatchObject({ state: 'completed', failed: 0 });
  // While there are two vectors, one edit costs one chunk for each.
  const edited = (n: number) => ({ ...documentOf(n), text: `${documentOf(n).text} ${sentence(999)}` });
  const both = await stored('shrinking', [edited(4)]);
  expect(both.chunks - both.reused).toBe(1);
  expect(await mill.json('POST', `${path}/exchange`)).toMatchObject({ status: 200, body: { dims: 4 } });
  expect(await mill.json('DELETE', path)).toMatchObject({ status: 200, body: { dims: 4 } });
  const before = mill.tokens;
  const job = await stored('shrinking', [edited(9)]);
  expect(job.chunks - job.reused).toBe(1);
  expect(mill.tokens - before).toBe(job.tokens);
  expect(job.tokens).toBeLessThan(64);
});

test('a document that was deleted before a copy began is not restored in the copy by an even older job', async () => {
  await created('deleted', { chunking: COARSE });
  await stored('deleted', documents.slice(0, 3));
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  mill.walkBy(async ({ purpose }, walk) => {
    if (purpose === 'ingest') await held;
    return walk();
  });
  const older = await mill.submitted('deleted', ndjson([documentOf(1, 1), documentOf(2, 1)]));
  await mill.json('DELETE', '/api/v1/collections/deleted/documents/d1');
  const job = await begun('deleted', 'deleted-2', { chunking: FINE });
  release();
  mill.walkBy((_, walk) => walk());
  expect(await mill.finished(older)).toMatchObject({ stored: 1, superseded: 1 });
  expect(await mill.finished(job)).toMatchObject({ state: 'completed', failed: 0 });
  for (const name of ['deleted', 'deleted-2']) {
    expect(await textOf(name, 'd1')).toBeUndefined();
    expect(await textOf(name, 'd2')).toBe(documentOf(2, 1).text);
  }
});

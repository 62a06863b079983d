import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  DEFAULT_TENANT,
  EmbedmillError,
  pointId,
  profileSchema,
  type Collection,
  type CollectionName,
  type DocumentId,
  type JobId,
} from '@embedmill/jobs';
import {
  connectStore,
  openQdrantStore,
  openZvecStore,
  serveStore,
  type DocumentPoints,
  type VectorStore,
} from '@embedmill/vector-store';
import { startFakeQdrant } from '@embedmill/vector-store/fake-qdrant';
import { storeDocuments } from './upsert.ts';

const NAME = 'test' as CollectionName;
const COLLECTION: Collection = {
  name: NAME,
  profile: profileSchema.parse({}),
  dims: 4,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
};
let folder: string;
let store: VectorStore;
const closers: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-upsert-'));
  store = await openZvecStore(folder);
  await store.createCollection(COLLECTION);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function byProcess(): Promise<VectorStore> {
  const host = await serveStore(store, join(folder, 's.sock'));
  closers.push(() => host.close());
  const client = connectStore(join(folder, 's.sock'));
  closers.push(() => client.close());
  return client;
}

async function inQdrant(): Promise<VectorStore> {
  const qdrant = await startFakeQdrant();
  closers.push(() => qdrant.close());
  const into = await openQdrantStore({ url: qdrant.url });
  closers.push(() => into.close());
  await into.createCollection(COLLECTION);
  return into;
}

function document(name: string, dims = 4): DocumentPoints {
  const id = name as DocumentId;
  const payload = {
    document_id: id,
    tenant: DEFAULT_TENANT,
    chunk_index: 0,
    chunk_count: 1,
    text: name,
    start: 0,
    end: name.length,
    title: null,
    image: null,
    timestamp: null,
    fingerprint: name,
    job_id: 'job_1' as JobId,
    sequence: 1,
    metadata: {},
  };
  const dense = new Float32Array(dims).fill(1 / Math.sqrt(dims));
  return {
    tenant: DEFAULT_TENANT,
    id,
    sequence: 1,
    points: [{ id: pointId(DEFAULT_TENANT, NAME, id, 0), dense, payload }],
  };
}

async function storing(documents: DocumentPoints[], into = store) {
  const stored: string[] = [];
  const superseded: string[] = [];
  const refused: [string, string][] = [];
  await storeDocuments(into, NAME, documents, COLLECTION, {
    stored: ({ id }) => stored.push(id),
    superseded: ({ id }) => superseded.push(id),
    refused: ({ id }, { code }) => refused.push([id, code]),
  });
  return { stored, superseded, refused };
}

test.each([
  ['zvec', () => Promise.resolve(store)],
  ['zvec, by the process that has it', byProcess],
  ['Qdrant', inQdrant],
])('documents that %s refuses are named, and their neighbours are stored', async (_name, open) => {
  const into = await open();
  const documents = Array.from({ length: 20 }, (_, n) => document(`d${n}`, n === 3 || n === 17 ? 5 : 4));
  const { stored, refused } = await storing(documents, into);
  expect(refused).toEqual([
    ['d3', 'dimension_mismatch'],
    ['d17', 'dimension_mismatch'],
  ]);
  expect(stored).toHaveLength(18);
  expect(await into.countPoints(NAME)).toBe(18);
});

test('a document that no request to Qdrant can hold fails alone', async () => {
  const into = await inQdrant();
  const [huge, ...others] = ['a', 'b', 'c'].map((name) => document(name));
  const [point] = huge!.points;
  const points = [{ ...point!, payload: { ...point!.payload, text: 'x'.repeat(33e6) } }];
  const { stored, refused } = await storing([others[0]!, { ...huge!, points }, others[1]!], into);
  expect(refused).toEqual([['a', 'store_rejected']]);
  expect(stored).toEqual(['b', 'c']);
});

test('a collection that is gone is no document’s fault', async () => {
  await store.deleteCollection(NAME);
  await expect(storing([document('a'), document('b')])).rejects.toMatchObject({
    code: 'collection_not_found',
  });
});

test('an unavailable store is waited for, not blamed on documents', async () => {
  const away: VectorStore = Object.assign(Object.create(store) as VectorStore, {
    replaceDocuments: () => Promise.reject(new EmbedmillError('store_unavailable', 'away')),
  });
  await expect(storing([document('a'), document('b')], away)).rejects.toMatchObject({
    code: 'store_unavailable',
  });
});

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
import { openZvecStore, type DocumentPoints, type VectorStore } from '@embedmill/vector-store';
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

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-upsert-'));
  store = await openZvecStore(folder);
  await store.createCollection(COLLECTION);
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

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

test('documents that the store refuses are named, and their neighbours are stored', async () => {
  const documents = Array.from({ length: 20 }, (_, n) => document(`d${n}`, n === 3 || n === 17 ? 5 : 4));
  const { stored, refused } = await storing(documents);
  expect(refused).toEqual([
    ['d3', 'dimension_mismatch'],
    ['d17', 'dimension_mismatch'],
  ]);
  expect(stored).toHaveLength(18);
  expect(await store.countPoints(NAME)).toBe(18);
});

test('a collection that is gone is no document’s fault', async () => {
  await store.deleteCollection(NAME);
  await expect(storing([document('a'), document('b')])).rejects.toMatchObject({
    code: 'collection_not_found',
  });
});

test('a store that is away is waited for, not blamed on documents', async () => {
  const away: VectorStore = Object.assign(Object.create(store) as VectorStore, {
    replaceDocuments: () => Promise.reject(new EmbedmillError('store_unavailable', 'away')),
  });
  await expect(storing([document('a'), document('b')], away)).rejects.toMatchObject({
    code: 'store_unavailable',
  });
});

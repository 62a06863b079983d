import { join } from 'node:path';
import { connectStore, openMilvusStore, openQdrantStore, type VectorStore } from '@embedmill/vector-store';
import { expect } from 'vitest';
import { startFakeQdrant } from '../../libs/vector-store/src/qdrant/fake-qdrant.ts';
import type { Embedmill } from '../embedmill.ts';
import { milvusAtHand } from './milvus-lite.ts';

/** A store for `embedmill up`, which tests can also read directly, past embedmill. */
export interface StoreAtHand {
  /** The variables by which `up` finds it. */
  env: Record<string, string>;
  /** Opens the store of the `up` that was started with it. */
  open(mill: Embedmill): Promise<VectorStore>;
  stop(): Promise<void>;
}

export type Starting = { title: string; start(): Promise<StoreAtHand> } | { title: string; missing: string };

const NONE = { QDRANT_URL: '', MILVUS_URL: '' };

/** zvec, a Qdrant (at QDRANT_URL, or the fake), and a Milvus (at MILVUS_URL, or Milvus Lite), if there is one. */
export async function storesAtHand(): Promise<Starting[]> {
  const milvus = await milvusAtHand();
  return [
    { title: 'zvec', start: startZvec },
    { title: process.env['QDRANT_URL'] ? 'Qdrant' : 'Qdrant (a fake one)', start: startQdrant },
    'missing' in milvus
      ? { title: 'Milvus', missing: milvus.missing }
      : { title: milvus.title, start: () => startMilvus(milvus) },
  ];
}

async function startZvec(): Promise<StoreAtHand> {
  return {
    env: NONE,
    open: (mill) => Promise.resolve(connectStore(join(mill.data, 'store.sock'))),
    stop: () => Promise.resolve(),
  };
}

async function startQdrant(): Promise<StoreAtHand> {
  const real = process.env['QDRANT_URL'];
  const fake = real ? undefined : await startFakeQdrant();
  const url = fake?.url ?? real ?? '';
  return {
    // Makes the job of a test a bulk load.
    env: { ...NONE, QDRANT_URL: url, EMBEDMILL_QDRANT_BULK_POINTS: '100' },
    open: () => openQdrantStore({ url, apiKey: process.env['QDRANT_API_KEY'] }),
    async stop() {
      await fake?.close();
      if (fake === undefined) return;
      expect(fake.violations).toEqual([]);
      expect(fake.requests.map(({ body }) => body)).toContainEqual({ hnsw_config: { m: 0 } });
    },
  };
}

async function startMilvus(milvus: {
  start(): Promise<{ url: string; stop(): Promise<void> }>;
}): Promise<StoreAtHand> {
  const server = await milvus.start();
  const [token, database] = [process.env['MILVUS_TOKEN'], process.env['MILVUS_DATABASE']];
  return {
    env: { ...NONE, MILVUS_URL: server.url },
    open: () => openMilvusStore({ url: server.url, token, database }),
    stop: () => server.stop(),
  };
}

import { USUAL_QDRANT } from '@embedmill/jobs';
import { expect } from 'vitest';
import { conformance } from '../conformance.ts';
import { startFakeQdrant } from './fake-qdrant.ts';
import { openQdrantStore, type QdrantOptions } from './open-qdrant-store.ts';

/** Generous, because hundreds of concurrent searches on a busy machine must all be answered. */
const searchTimeout = 60_000;
const url = process.env['QDRANT_URL'];

if (url === undefined || url === '') {
  const openFake = async (options: Omit<QdrantOptions, 'url'> = {}) => {
    const fake = await startFakeQdrant();
    return {
      store: await openQdrantStore({ url: fake.url, searchTimeout, ...options }),
      async release() {
        await fake.close();
        expect(fake.violations).toEqual([]);
      },
    };
  };
  conformance('Qdrant (a fake one; set QDRANT_URL to use a real one)', openFake);
  const layout = { ...USUAL_QDRANT.layout, sharding: 'custom' as const };
  conformance(
    'Qdrant (a fake one), large tenants in shards of their own',
    () => openFake({ layout, largeTenants: ['y', "o'x", 'b'] }),
    // Each shard computes its own idf.
    { exactFrequencies: false },
  );
} else {
  const open = async () => {
    const store = await openQdrantStore({ url, apiKey: process.env['QDRANT_API_KEY'], searchTimeout });
    return { store, release: () => store.close() };
  };
  conformance('Qdrant', open, { exactFrequencies: false });
}

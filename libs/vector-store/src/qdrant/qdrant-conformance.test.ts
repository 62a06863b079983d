import { expect } from 'vitest';
import { conformance } from '../conformance.ts';
import { startFakeQdrant } from './fake-qdrant.ts';
import { openQdrantStore } from './open-qdrant-store.ts';

/** Hundreds of searches at once, on a machine with other work to do, are all answered. */
const searchTimeout = 60_000;
const url = process.env['QDRANT_URL'];

if (url === undefined || url === '') {
  conformance('Qdrant (a fake one; set QDRANT_URL to use a real one)', async () => {
    const fake = await startFakeQdrant();
    return {
      store: await openQdrantStore({ url: fake.url, searchTimeout }),
      async release() {
        await fake.close();
        expect(fake.violations).toEqual([]);
      },
    };
  });
} else {
  const open = async () => {
    const store = await openQdrantStore({ url, apiKey: process.env['QDRANT_API_KEY'], searchTimeout });
    return { store, release: () => store.close() };
  };
  conformance('Qdrant', open, { exactFrequencies: false });
}

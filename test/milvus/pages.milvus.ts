import { describe, test } from 'vitest';
import { openMilvusStore } from '@embedmill/vector-store';
import { testPages } from '../../apps/api/src/search/page-walks.ts';
import { milvusAtHand } from './milvus-lite.ts';

const milvus = await milvusAtHand();

if ('missing' in milvus) {
  describe.skip(`in Milvus (${milvus.missing})`, () => {
    test('pages show each hit once', () => undefined);
  });
} else {
  describe(`in ${milvus.title}`, () =>
    testPages(async () => {
      const server = await milvus.start();
      const store = await openMilvusStore({ url: server.url });
      return {
        store,
        async close() {
          await store.close();
          await server.stop();
        },
      };
    }));
}

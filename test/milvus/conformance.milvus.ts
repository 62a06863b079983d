import { openMilvusStore } from '@embedmill/vector-store';
import { conformance } from '@embedmill/vector-store/conformance';
import { describe, test } from 'vitest';
import { milvusAtHand } from './milvus-lite.ts';

const milvus = await milvusAtHand();

if ('missing' in milvus) {
  describe.skip(`Milvus (${milvus.missing})`, () => {
    test('keeps the contract of stores', () => undefined);
  });
} else {
  const open = async () => {
    const server = await milvus.start();
    const [token, database] = [process.env['MILVUS_TOKEN'], process.env['MILVUS_DATABASE']];
    const store = await openMilvusStore({ url: server.url, token, database });
    return {
      store,
      async release() {
        await store.close();
        await server.stop();
      },
    };
  };
  conformance(milvus.title, open, { largestTerm: 2 ** 32 - 2, tokenVectors: false });
}

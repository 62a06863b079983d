import { afterAll, describe, test } from 'vitest';
import { openMilvusStore } from '@embedmill/vector-store';
import { testModel } from '../living/model-runs.ts';
import { milvusAtHand, type MilvusServer } from './milvus-lite.ts';

const milvus = await milvusAtHand();

/** A server in Python is slower than a fake one: the long run is `MODEL_RUNS=100 npm run test:milvus -- model`. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 12);
const AT_ONCE = 4;

if ('missing' in milvus) {
  describe.skip(`in Milvus (${milvus.missing})`, () => {
    test('the store holds what was accepted last', () => undefined);
  });
} else {
  const { title, start } = milvus;
  describe(`in ${title}`, () => {
    let server: MilvusServer | undefined;
    afterAll(() => server?.stop());
    const open = async () => {
      const begun = await start();
      server = begun;
      return openMilvusStore({ url: begun.url });
    };
    testModel(open, { runs: RUNS, atOnce: AT_ONCE });
  });
}

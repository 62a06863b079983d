import { afterAll, describe, expect } from 'vitest';
import { openQdrantStore } from '@embedmill/vector-store';
import { startFakeQdrant, type FakeQdrant } from '@embedmill/vector-store/fake-qdrant';
import { testModel } from './model-runs.ts';

const RUNS = Number(process.env['MODEL_RUNS'] ?? 320);
const AT_ONCE = 32;

// Files are slower than memory.
describe('in zvec', () => testModel(async () => undefined, { runs: RUNS / 3, atOnce: AT_ONCE }));

describe('in the fake Qdrant', () => {
  let qdrant: FakeQdrant | undefined;
  afterAll(async () => {
    await qdrant?.close();
    expect(qdrant?.violations).toEqual([]);
  });

  async function open() {
    qdrant = await startFakeQdrant();
    return openQdrantStore({ url: qdrant.url });
  }
  testModel(open, { runs: (RUNS * 2) / 3, atOnce: AT_ONCE });
});

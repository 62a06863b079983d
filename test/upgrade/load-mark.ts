import { startFakeQdrant } from '../../libs/vector-store/src/qdrant/fake-qdrant.ts';
import { Embedmill } from '../embedmill.ts';

interface Answer {
  result: { config: { metadata?: Record<string, unknown> } };
}

/**
 * What a Qdrant, a fake one, keeps of a first load of `documents` while it is under way, whose index is deferred.
 *
 * @param redisUrl of a queue that nobody else uses
 */
export async function loadMark(redisUrl: string, documents: string): Promise<unknown> {
  const fake = await startFakeQdrant();
  const env = { REDIS_URL: redisUrl, QDRANT_URL: fake.url, EMBEDMILL_QDRANT_BULK_POINTS: '1' };
  const mill = await Embedmill.up({ env });
  try {
    await mill.json('/api/v1/collections', { name: 'loaded' });
    await mill.submit('loaded', documents);
    let mark: unknown;
    await mill.until('a load is under way', async () => {
      const answer = (await (await fetch(`${fake.url}/collections/loaded`)).json()) as Answer;
      const found = Object.entries(answer.result.config.metadata ?? {});
      [, mark] = found.find(([key]) => key.startsWith('embedmill-load-')) ?? [];
      return mark !== undefined && mark !== null;
    });
    return mark;
  } finally {
    await mill.stop();
    await fake.close();
  }
}

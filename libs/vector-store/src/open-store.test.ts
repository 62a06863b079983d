import { expect, test } from 'vitest';
import { openStore } from './open-store.ts';

test.each([
  [{ socket: '/run/embedmill.sock' }, /zvec.*\/run\/embedmill\.sock/],
  [{ socket: '/run/embedmill.sock', qdrantUrl: '' }, /zvec/],
  [{ socket: '/run/embedmill.sock', qdrantUrl: 'http://qdrant:6333' }, /Qdrant.*qdrant:6333/],
  [{ socket: '/run/embedmill.sock', milvus: { url: 'http://milvus' } }, /Milvus, http:\/\/milvus:19530$/],
])('%j means the store %s', async (options, description) => {
  const store = await openStore(options);
  expect(store.description).toMatch(description);
  await store.close();
});

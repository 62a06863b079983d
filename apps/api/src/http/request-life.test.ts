import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { profileSchema, type CollectionName, type DocumentId, type TenantId } from '@embedmill/jobs';
import { openZvecStore, type StoredPoint, type VectorStore } from '@embedmill/vector-store';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

const WAIT = { timeout: 15_000 };
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const point = (n: number): StoredPoint => ({
  id: `00000000-0000-5000-8000-${String(n).padStart(12, '0')}` as StoredPoint['id'],
  dense: Float32Array.of(1),
  payload: { document_id: `d${n}` as DocumentId, tenant: 'default' as TenantId, chunk_count: 1 } as never,
});

/** An API with one place and a store whose searches end on command, and the store's calls. */
async function start(): Promise<{ api: TestApi; searches: (() => void)[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-life-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const real = await openZvecStore(join(folder, 'vectors'));
  closers.push(() => real.close());
  const searches: (() => void)[] = [];
  const store: VectorStore = {
    ...Object.fromEntries(
      Object.getOwnPropertyNames(Object.getPrototypeOf(real)).map((name) => [
        name,
        (...args: unknown[]) => (real[name as 'ping'] as (...given: unknown[]) => unknown)(...args),
      ]),
    ),
    description: real.description,
    scanPoints: async (_name: CollectionName, { limit }: { limit: number }) =>
      Array.from({ length: limit }, (_, n) => point(n)),
    findNear: (_name: CollectionName, ids: readonly unknown[]) =>
      new Promise((resolve) => searches.push(() => resolve(ids.map(() => [])))),
  } as unknown as VectorStore;
  const limits = { maxRequests: 1, maxUploads: 1, maxStreams: 1 };
  const api = await startTestApi({ store, config: { limits } });
  closers.push(() => api.close());
  await api.json('POST', '/api/v1/collections', { name: 'docs', profile: profileSchema.parse({}) });
  return { api, searches };
}

test('work ends at its next step once its client has gone, and its place is free only then', async () => {
  const { api, searches } = await start();
  const leave = new AbortController();
  const asked = api.call('/api/v1/collections/docs/near-duplicates', {
    method: 'POST',
    body: '{"points":100}',
    headers: { 'content-type': 'application/json' },
    signal: leave.signal,
  });
  asked.catch(() => undefined);
  await expect.poll(() => searches.length, WAIT).toBe(1);
  leave.abort();
  const status = async () => (await api.call('/v1/models')).status;
  // The store's work is not finished, whether or not anybody waits.
  for (let n = 0; n < 5; n += 1) expect(await status()).toBe(429);
  searches[0]?.();
  await expect.poll(status, WAIT).toBe(200);
  expect(searches).toHaveLength(1);
});

test('work whose client waits goes on to its end', async () => {
  const { api, searches } = await start();
  const asked = api.json('POST', '/api/v1/collections/docs/near-duplicates', { points: 130 });
  // Sixty-four points per step.
  for (let n = 1; n <= 3; n += 1) {
    await expect.poll(() => searches.length, WAIT).toBe(n);
    searches[n - 1]?.();
  }
  expect(await asked).toMatchObject({ status: 200, body: { points: 130 } });
});

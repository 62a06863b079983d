import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Redis } from 'ioredis';
import {
  pointId,
  profileSchema,
  type Collection,
  type CollectionName,
  type DocumentId,
  type TenantId,
} from '@embedmill/jobs';
import { connectQueue, consumeIngest, newJobId, type IngestHandle } from '@embedmill/queue';
import { startTestRedis } from '@embedmill/redis-server';
import { openZvecStore, type DocumentPoints } from '@embedmill/vector-store';
import { loadCorpusMaker } from '../bench/surroundings.ts';
import { MEAN_TOKENS } from '../bench/corpora.ts';
import {
  BYTES_A_TOKEN,
  PAYLOAD_BYTES,
  REDIS_BYTES_A_JOB,
  REDIS_BYTES_A_SHARD,
  REDIS_BYTES_BASE,
  ZVEC_BYTES_A_POINT,
} from './costs.ts';

/** Measures the constants of plans again. */
const TOLERANCE = 0.15;
const collection: Collection = {
  name: 'documents',
  profile: profileSchema.parse({
    sparse: { bm25: {} },
    filterable: { year: 'integer', category: 'keyword' },
  }),
  dims: 384,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
};
const source = {
  kind: 'file' as const,
  uri: 'file:///shared/spool/uploads/job_abcdefghijklmnopqrst.ndjson',
  size: 5e10,
  modified: 1.7e12,
};

let folder: string;
const closers: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-costs-'));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await rm(folder, { recursive: true, force: true });
});

test('Redis takes as many bytes for a job and for an outstanding shard as planned', async () => {
  const redis = await startTestRedis();
  closers.push(() => redis.stop());
  const plain = new Redis(redis.url);
  closers.push(async () => plain.disconnect());
  const used = async () => Number(/^used_memory:(\d+)/m.exec(await plain.info('memory'))?.[1]);
  /**
   * The size of all keys with their contents: `used_memory` would also count the buffers of connections, which come and
   * go.
   */
  const stored = async () => {
    const pipeline = plain.pipeline();
    for (const key of await plain.keys('*')) pipeline.memory('USAGE', key, 'SAMPLES', 0);
    const sizes = (await pipeline.exec()) ?? [];
    return sizes.reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  };
  const queue = await connectQueue({ redisUrl: redis.url });
  closers.push(() => queue.close());
  const submit = () =>
    queue.submit({
      id: newJobId(),
      purpose: 'ingest',
      collection,
      source,
      label: 'upload',
      retryOf: null,
      digest: 'a'.repeat(64),
    });
  await submit();
  expect(await used()).toBeLessThan(REDIS_BYTES_BASE);
  const empty = await stored();
  for (let n = 0; n < 300; n += 1) await submit();
  const ofJobs = ((await stored()) - empty) / 300;
  // These jobs wait; finished jobs also keep their results.
  expect(ofJobs / REDIS_BYTES_A_JOB).toBeGreaterThan(0.7);
  expect(ofJobs / REDIS_BYTES_A_JOB).toBeLessThan(1.3);

  const measured = Promise.withResolvers<number>();
  const dispatch = async (handle: IngestHandle): Promise<void> => {
    const before = await stored();
    const range = { offset: 1e10, length: 102_400, firstLine: 1e8, documents: 256, duplicates: [] };
    const add = (index: number) =>
      handle.addShard({
        job: handle.id,
        index,
        sequence: 1,
        rival: 0,
        purpose: 'ingest',
        collection,
        source,
        range,
      });
    await Promise.all(Array.from({ length: 3000 }, (_, index) => add(index)));
    measured.resolve(((await stored()) - before) / 3000);
  };
  let first = true;
  const consumer = await consumeIngest(
    { redisUrl: redis.url, concurrency: 1, lockMs: 15_000, onError: () => {} },
    async (handle) => {
      if (!first) return;
      first = false;
      await dispatch(handle).catch(measured.reject);
      // Its shards stay, and no other job is taken meanwhile.
      await measured.promise;
    },
  );
  closers.push(() => consumer.close());
  const bytes = await measured.promise;
  expect(bytes / REDIS_BYTES_A_SHARD).toBeGreaterThan(1 - TOLERANCE);
  expect(bytes / REDIS_BYTES_A_SHARD).toBeLessThan(1 + TOLERANCE);
});

test('English text has as many bytes a token as planned', async () => {
  const maker = await loadCorpusMaker({ EMBEDMILL_MODEL_CACHE_DIR: folder });
  const texts = maker.texts('mixed', 2000);
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const ratio = bytes / texts.length / (MEAN_TOKENS.mixed - 2) / BYTES_A_TOKEN;
  expect(Math.abs(ratio - 1)).toBeLessThan(TOLERANCE);
});

test('zvec takes as many bytes a point on disk as planned, besides its vector and text', async () => {
  const store = await openZvecStore(join(folder, 'vectors'));
  const name = 'documents' as CollectionName;
  await store.createCollection({ ...collection, profile: profileSchema.parse({}) });
  const points = 20_000;
  const text = 'an example of a text '.repeat(10);
  const documentOf = (n: number): DocumentPoints => {
    const [tenant, id] = ['default' as TenantId, `d${n}` as DocumentId];
    const dense = Float32Array.from({ length: 384 }, (_, at) => Math.sin(n * 384 + at));
    const payload = {
      document_id: id,
      tenant,
      chunk_index: 0,
      chunk_count: 1,
      text,
      start: 0,
      end: 210,
      title: null,
      image: null,
      timestamp: null,
      fingerprint: `${n}`.padStart(43, 'x'),
      job_id: newJobId(),
      sequence: 1000 * Date.now(),
      metadata: {},
    };
    expect(JSON.stringify({ ...payload, text: '' }).length / PAYLOAD_BYTES).toBeCloseTo(1, 1);
    const { sequence } = payload;
    return {
      tenant,
      id,
      sequence,
      points: [{ id: pointId(tenant, name, id, 0), dense, sparse: {}, payload }],
    };
  };
  for (let at = 0; at < points; at += 200) {
    await store.replaceDocuments(
      name,
      Array.from({ length: 200 }, (_, n) => documentOf(at + n)),
    );
  }
  await store.close();
  const planned = points * (ZVEC_BYTES_A_POINT + 4 * 384 + text.length);
  expect(Math.abs((await bytesOnDisk(folder)) / planned - 1)).toBeLessThan(TOLERANCE);
});

async function bytesOnDisk(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512;
  }
  return bytes;
}

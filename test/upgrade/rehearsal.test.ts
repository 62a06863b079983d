import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { missingPostgres, startTestPostgres } from '@embedmill/postgres-server';
import { describe, expect, test } from 'vitest';
import { startFakeQdrant } from '../../libs/vector-store/src/qdrant/fake-qdrant.ts';
import { Embedmill, ndjson } from '../embedmill.ts';

/**
 * An upgrade and its rollback, with jobs in flight: the previous release (an installed and built checkout, named by
 * UPGRADE_FROM) starts, this one takes over, and the previous one finishes. Without UPGRADE_FROM, this release stands
 * in for its predecessor: then the test only shows that a rollout loses nothing.
 */
const before = process.env['UPGRADE_FROM'];
const BEFORE = before === undefined ? {} : { bin: join(before, 'apps/cli/bin/embedmill.js') };
const DOCUMENTS = 2500;
const EXACT = {
  state: 'completed',
  documents: DOCUMENTS,
  done: DOCUMENTS,
  stored: DOCUMENTS,
  failed: 0,
  skipped: 0,
  duplicates: 0,
};

const words = 'river bank money stone cloud engine table light green seven under walk'.split(' ');
const documents = (of: string): string =>
  ndjson(
    Array.from({ length: DOCUMENTS }, (_, n) => ({
      id: `${of}-${n}`,
      text: `${of} ${n} ${Array.from({ length: 8 + (n % 30) }, (_word, at) => words[(n + at * at) % words.length]).join(' ')}`,
      metadata: { of },
    })),
  );

interface Place {
  name: string;
  missing?: string | undefined;
  start(): Promise<{ env: Record<string, string>; stop(): Promise<void> }>;
}

const QUEUES: Place[] = [
  { name: 'Redis', start: async () => ({ env: {}, stop: async () => {} }) },
  {
    name: 'PostgreSQL',
    missing: missingPostgres,
    async start() {
      const { url, stop } = await startTestPostgres();
      // Nothing may connect to Redis, even if this machine has one.
      return { env: { QUEUE_URL: url, REDIS_URL: 'redis://127.0.0.1:1' }, stop };
    },
  },
];
const STORES: Place[] = [
  { name: 'the embedded store', start: async () => ({ env: {}, stop: async () => {} }) },
  {
    name: 'Qdrant, a fake one',
    async start() {
      const fake = await startFakeQdrant();
      return { env: { QDRANT_URL: fake.url }, stop: () => fake.close() };
    },
  },
];

const places = QUEUES.flatMap((queue) => STORES.map((store) => ({ queue, store })));

describe.each(places)('with $queue.name and $store.name', ({ queue, store }) => {
  const { missing } = queue;
  test.skipIf(missing !== undefined)(
    `jobs in flight outlive an upgrade and its rollback${missing === undefined ? '' : ` (skipped: ${missing})`}`,
    async () => {
      const [jobs, vectors] = [await queue.start(), await store.start()];
      const env = { ...jobs.env, ...vectors.env };
      let mill = await Embedmill.up({ ...BEFORE, env });
      const { data } = mill;
      try {
        const profile = { sparse: { bm25: {} }, filterable: { of: 'keyword' } };
        await mill.json('/api/v1/collections', { name: 'docs', profile });
        const first = await mill.submit('docs', documents('first'));
        await mill.underWay(first);
        expect(await mill.end()).toBe(130);

        mill = await Embedmill.up({ data, env });
        const second = await mill.submit('docs', documents('second'));
        await mill.underWay(second);
        expect(await mill.end()).toBe(130);

        mill = await Embedmill.up({ ...BEFORE, data, env });
        const third = await mill.submit('docs', documents('third'));
        for (const job of [first, second, third]) expect(await mill.finished(job)).toMatchObject(EXACT);
        const { points } = await mill.json<{ points: number }>('/api/v1/collections/docs');
        expect(points).toBe(3 * DOCUMENTS);
        for (const of of ['first', 'second', 'third']) {
          const filter = { field: 'of', eq: of };
          const [hit] = await mill.search('docs', { query: `${of} 7`, mode: 'hybrid', limit: 1, filter });
          expect(hit?.id).toMatch(new RegExp(`^${of}-`));
        }
      } finally {
        await mill.stop();
        await rm(data, { recursive: true, force: true });
        await vectors.stop();
        await jobs.stop();
      }
    },
  );
});

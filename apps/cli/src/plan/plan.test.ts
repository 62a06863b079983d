import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JobId } from '@embedmill/jobs';
import { Spool, writeManifest } from '@embedmill/sources';
import { NO_FAULTS } from './cluster.ts';
import { MANIFEST_BYTES_A_SHARD } from './costs.ts';
import { planOf, type PlanRequest } from './plan.ts';
import { MEASURED_RATES, measuredRate } from './rates.ts';
import { planWarnings } from './report.ts';
import { scenarioOf } from './scenario.ts';
import { simulate } from './simulation.ts';

const request = (changes: Partial<PlanRequest> = {}): PlanRequest => ({
  documents: 1e6,
  tokensPerDocument: 98,
  bytesPerToken: 4.3,
  chunkTokens: 256,
  dims: 384,
  storage: 'float32',
  sparse: [],
  tokensPerSecond: 10_000,
  size: { workers: 10 },
  jobs: 1,
  ...changes,
});

test('a plan agrees with the same plan calculated by hand', () => {
  const plan = planOf(request());
  // 98 tokens and two special ones, a million times, at 100,000 a second.
  expect(plan).toMatchObject({ chunks: 1e6, tokens: 1e8, workers: 10 });
  expect(plan.hours).toBeCloseTo(1000 / 3600, 6);
  expect(plan.shards).toMatchObject({ count: 3907, documents: 256, seconds: 2.56 });
  expect(plan.shards.perSecond).toBeCloseTo(3.907, 6);
  expect(plan.mostShards).toBe(10_000);
  // 1.5 × (4 × 384 + 280 + 98 × 4.3), and the index's links.
  expect(plan.store.qdrant.diskBytes / 1e6).toBeCloseTo(1.5 * (1536 + 280 + 421.4) + 151, 0);
  expect(plan.store.qdrant.memoryBytes / 1e6).toBeCloseTo(1.5 * 1536 + 151, 0);
});

test('a plan for a number of hours has the fewest workers that finish in that time', () => {
  fc.assert(
    fc.property(
      fc.record({
        documents: fc.integer({ min: 1, max: 1e9 }),
        hours: fc.double({ min: 0.01, max: 1000, noNaN: true }),
      }),
      ({ documents, hours }) => {
        const plan = planOf(request({ documents, size: { hours } }));
        expect(plan.hours).toBeLessThanOrEqual(hours * (1 + 1e-9));
        if (plan.workers === 1) return;
        const fewer = planOf(request({ documents, size: { workers: plan.workers - 1 } }));
        expect(fewer.hours).toBeGreaterThan(hours * (1 - 1e-9));
      },
    ),
  );
});

test('quantised vectors take less memory and more disk, sparse vectors more of both', () => {
  const store = (changes: Partial<PlanRequest>) => planOf(request(changes)).store;
  const [float32, int8, binary] = (['float32', 'int8', 'binary'] as const).map((storage) =>
    store({ storage }),
  );
  expect(int8!.qdrant.memoryBytes).toBeLessThan(float32!.qdrant.memoryBytes / 2);
  expect(binary!.qdrant.memoryBytes).toBeLessThan(int8!.qdrant.memoryBytes / 2);
  expect(int8!.qdrant.diskBytes).toBeGreaterThan(float32!.qdrant.diskBytes);
  expect(int8!.zvec.diskBytes).toBeGreaterThan(float32!.zvec.diskBytes);
  const sparse = store({ sparse: ['bm25', 'splade'] });
  expect(sparse.qdrant.memoryBytes).toBeGreaterThan(float32!.qdrant.memoryBytes);
  expect(sparse.zvec.diskBytes).toBeGreaterThan(float32!.zvec.diskBytes);
});

test.each([30, 400, 3000])(
  'documents of %i tokens are planned in the shards that the scan cuts',
  async (tokensPerDocument) => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-plan-'));
    try {
      const documents = 5000;
      const { shards, spoolBytes } = planOf(request({ documents, tokensPerDocument }));
      const text = 'x'.repeat(Math.round(tokensPerDocument * 4.3));
      const lines = Array.from(
        { length: documents },
        (_, n) => `{"id":"d${String(n).padStart(11, '0')}","text":"${text}"}\n`,
      );
      const path = join(folder, 'documents.ndjson');
      await writeFile(path, lines.join(''));
      const { size, mtimeMs } = await stat(path);
      const source = { kind: 'file' as const, uri: `file://${path}`, size, modified: mtimeMs };
      const spool = await Spool.open(join(folder, 'spool'));
      const job = 'job_1' as JobId;
      const totals = await writeManifest(spool, job, source, { filterable: {} });
      expect(totals.shards / shards.count).toBeCloseTo(1, 1);
      const bytes = (await stat(join(spool.place, job, 'manifest.ndjson'))).size;
      expect((size + bytes) / spoolBytes).toBeCloseTo(1, 1);
      expect(bytes / totals.shards).toBeLessThan(MANIFEST_BYTES_A_SHARD);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

test.each([
  { workers: 1, tokensPerSecond: 36_000, jobs: 1 },
  { workers: 30, tokensPerSecond: 36_000, jobs: 1 },
  { workers: 300, tokensPerSecond: 36_000, jobs: 6 },
  { workers: 1000, tokensPerSecond: 36_000, jobs: 1 },
  { workers: 3000, tokensPerSecond: 36_000, jobs: 6 },
  { workers: 100, tokensPerSecond: 400_000, jobs: 20 },
])('the simulation stays within the planned queue and time: %o', ({ workers, jobs, ...rest }) => {
  const asked = request({ documents: workers * 30_000, size: { workers }, jobs, ...rest });
  const plan = planOf(asked);
  const { cluster, load } = scenarioOf(asked, plan, { mtbfHours: 24 });
  const outcome = simulate(cluster, load, NO_FAULTS);
  expect(outcome.mostOutstanding).toBeLessThanOrEqual(plan.redis.outstandingShards);
  // It takes some seconds until 3000 workers have their hands full, and the whole run takes a minute.
  expect(outcome.utilisation).toBeGreaterThan(0.9);
  const planned = plan.hours * 3600;
  expect(outcome.seconds).toBeGreaterThan(planned * 0.95);
  expect(outcome.seconds).toBeLessThan(planned * 1.05 + 8 * plan.shards.seconds + 5);
});

test('a plan warns of what one Redis, zvec or one job cannot do', () => {
  expect(planWarnings(planOf(request({ documents: 1e5 })))).toEqual([]);
  const fast = planWarnings(planOf(request({ documents: 1e8, tokensPerSecond: 1e9 }))).join('\n');
  expect(fast).toMatch(/one Redis cannot hand out/);
  expect(fast).toMatch(/zvec cannot write/);
  expect(fast).toMatch(/one job cannot hand out/);
  expect(fast).toMatch(/submit more and smaller jobs/);
  const wide = planWarnings(planOf(request({ documents: 1e9, size: { workers: 3000 } }))).join('\n');
  expect(wide).toMatch(/EMBEDMILL_API_MOST_SHARDS=13\d{3}/);
});

test('the rate is the one measured with texts of the nearest length, and none is made up', () => {
  expect(measuredRate('all-MiniLM-L6-v2', 'cpu', 15)?.tokensPerChunk).toBe(12);
  expect(measuredRate('all-MiniLM-L6-v2', 'cpu', 60)?.tokensPerChunk).toBe(69);
  expect(measuredRate('all-MiniLM-L6-v2', 'cpu', 9000)?.tokensPerChunk).toBe(256);
  expect(measuredRate('all-MiniLM-L6-v2', 'cuda', 60)).toBeUndefined();
  expect(measuredRate('bge-base-en-v1.5', 'cpu', 60)).toBeUndefined();
  for (const { tokensPerSecond } of MEASURED_RATES) expect(tokensPerSecond).toBeGreaterThan(1000);
});

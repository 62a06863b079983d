import type { Job } from '@embedmill/jobs';
import { openMilvusStore, type VectorStore } from '@embedmill/vector-store';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Embedmill, ndjson, runCli } from '../embedmill.ts';
import { milvusAtHand, type MilvusServer } from './milvus-lite.ts';

const milvus = await milvusAtHand();
const title = 'title' in milvus ? milvus.title : `Milvus (${milvus.missing})`;

/** Documents, some of which say the same, so that many score alike. */
const DOCUMENTS = Array.from({ length: 120 }, (_, n) => {
  const [animal, place, year] = [ANIMALS()[n % 6], PLACES()[n % 5], 2000 + (n % 7)];
  return {
    id: `d${n}`,
    text: `A ${animal} was seen ${place}. ${n % 3 === 0 ? 'It slept.' : 'It looked for food.'}`,
    metadata: { year, tags: [animal, place], place: { lat: 52 + (n % 5), lon: 13 } },
  };
});

function ANIMALS(): string[] {
  return ['dog', 'hen', 'carp', 'fox', 'crow', 'bee'];
}

function PLACES(): string[] {
  return ['in the garden', 'by the river', 'on the roof', 'near the bank', 'at the market'];
}

const PROFILE = {
  sparse: { bm25: {} },
  filterable: { year: 'integer', tags: 'keyword', place: 'geo' },
};
const QUERIES = [
  ...ANIMALS(),
  ...PLACES(),
  'a bird with black feathers',
  'fish',
  'insects looking for flowers',
];
const FILTERS = [
  undefined,
  { field: 'year', gte: 2002, lt: 2005 },
  { not: { field: 'tags', prefix: 'b' } },
  { field: 'place', geo: { lat: 53, lon: 13, radius: 150_000 } },
];

describe.skipIf('missing' in milvus)(`embedmill up with ${title}`, () => {
  let server: MilvusServer;
  let store: VectorStore;
  let beside: Embedmill;
  let mill: Embedmill;

  beforeAll(async () => {
    if ('missing' in milvus) return;
    server = await milvus.start();
    store = await openMilvusStore({ url: server.url });
    [beside, mill] = await Promise.all([
      Embedmill.up({ env: { QDRANT_URL: '' } }),
      Embedmill.up({ env: { QDRANT_URL: '', MILVUS_URL: server.url } }),
    ]);
  });
  afterAll(async () => {
    await mill?.stop();
    await beside?.stop();
    await store?.close();
    await server?.stop();
  });

  test('doctor names the store and its version', async () => {
    const { stdout } = await runCli(['doctor', '--json', '--data', mill.data], {
      env: { QDRANT_URL: '', MILVUS_URL: server.url },
    });
    const { checks } = JSON.parse(stdout) as { checks: { name: string; ok: boolean; detail: string }[] };
    const check = checks.find(({ detail }) => detail.startsWith(`Milvus, ${server.url}, version `));
    expect(check).toMatchObject({ ok: true });
    expect((await mill.state()).processes.store).toBeNull();
  });

  test('finds what the embedded store finds, in the same order, in every mode and by any filter', async () => {
    const names = { milvus: '', beside: '' };
    for (const [which, one] of [
      ['milvus', mill],
      ['beside', beside],
    ] as const) {
      const name = `animals-${process.pid}`;
      await one.json('/api/v1/collections', { name, profile: PROFILE });
      names[which] = name;
      const job = await one.finished(await one.submit(name, ndjson(DOCUMENTS)));
      expect(job).toMatchObject({ state: 'completed', stored: DOCUMENTS.length, failed: 0 });
    }
    expect(await store.countPoints(names.milvus as never)).toBe(DOCUMENTS.length);
    for (const mode of ['dense', 'sparse', 'hybrid'])
      for (const [n, query] of QUERIES.entries()) {
        const asked = { query, mode, limit: 30, filter: FILTERS[n % FILTERS.length] };
        const [found, expected] = await Promise.all([
          mill.search(names.milvus, asked),
          beside.search(names.beside, asked),
        ]);
        expect([asked, found.map(({ id }) => id)]).toEqual([asked, expected.map(({ id }) => id)]);
        for (const [at, { score }] of expected.entries()) expect(found[at]?.score).toBeCloseTo(score, 4);
      }
  });

  test('a worker that is killed in mid-job, and deletions meanwhile, leave what was accepted last', async () => {
    const name = await mill.collection('killed', PROFILE);
    const many = Array.from({ length: 600 }, (_, n) => ({ id: `d${n}`, text: `Number ${n} of many.` }));
    const first = await mill.submit(name, ndjson(many));
    await mill.underWay(first);
    const { processes } = await mill.state();
    process.kill(processes.worker, 'SIGKILL');
    const gone = many.slice(0, 50).map(({ id }) => ({ id, deleted: true }));
    const second = await mill.submit(name, ndjson(gone));
    const jobs: Job[] = [];
    for (const job of [first, second]) jobs.push(await mill.finished(job));
    expect(jobs.map(({ state }) => state)).toEqual(['completed', 'completed']);
    expect(jobs[0]?.failed).toBe(0);
    expect(await store.countPoints(name as never)).toBe(550);
    const found = await store.scanDocuments(name as never, { limit: 1000 });
    expect(found.map(({ id }) => id as string).toSorted()).toEqual(
      many
        .slice(50)
        .map(({ id }) => id)
        .toSorted(),
    );
  });
});

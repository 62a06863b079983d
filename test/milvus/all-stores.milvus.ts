import type { CollectionName, Hit, Job } from '@embedmill/jobs';
import type { VectorStore } from '@embedmill/vector-store';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Embedmill, ndjson } from '../embedmill.ts';
import { DELETED, DOCUMENTS, FILTERS, LEFT, PROFILE, QUERIES, REPLACED } from './corpus.ts';
import { storesAtHand, type StoreAtHand } from './stores-at-hand.ts';

/** The same job, kills and searches on every store: each holds the same documents and finds them in the same order. */
const starting = await storesAtHand();
const missing = starting.flatMap((one) => ('missing' in one ? `no ${one.title}: ${one.missing}` : []));
const title = [...starting.flatMap((one) => ('start' in one ? one.title : [])), ...missing].join(', ');

/** The same name in each: point ids depend on it, and break ties. */
const NAME = `animals-${process.pid}` as CollectionName;
const DEADLINE = { timeout: 90_000, interval: 100 };

interface Running {
  title: string;
  at: StoreAtHand;
  mill: Embedmill;
  store: VectorStore;
}

describe(`all stores (${title})`, () => {
  const running: Running[] = [];
  const closers: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    for (const one of starting) {
      if ('missing' in one) continue;
      const at = await one.start();
      closers.push(() => at.stop());
      const mill = await Embedmill.up({ env: at.env });
      closers.push(() => mill.stop());
      const store = await at.open(mill);
      closers.push(() => store.close());
      closers.push(() => mill.call(`/api/v1/collections/${NAME}`, { method: 'DELETE' }));
      running.push({ title: one.title, at, mill, store });
    }
  });
  afterAll(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  test('have the same documents after the same jobs, whatever processes are killed meanwhile', async () => {
    const left = await Promise.all(running.map((one) => jobsWithKills(one)));
    const [first] = left;
    expect(first?.documents).toEqual(LEFT.toSorted());
    expect(first?.points).toBeGreaterThan(LEFT.length);
    for (const one of left) expect(one).toEqual({ ...first, title: one.title });
  });

  test('find the same hits, in the same order, in every mode', async () => {
    const [expected, ...others] = await Promise.all(
      running.map(async ({ mill }) => {
        const found: [object, ReturnType<typeof shown>][] = [];
        for (const asked of questions()) found.push([asked, shown(await mill.search(NAME, asked))]);
        return found;
      }),
    );
    expect(expected?.length).toBe(QUERIES.length * 9);
    for (const other of others) expectSame(other, expected ?? []);
  });

  test('find one hit per document, on consecutive pages, in the same order', async () => {
    const pages = await Promise.all(
      running.map(async ({ mill }) => {
        const found: [object, ReturnType<typeof shown>][] = [];
        for (const mode of ['dense', 'sparse', 'hybrid'])
          for (const query of QUERIES.slice(0, 8)) {
            const asked = { query, mode, group: true };
            const whole = await mill.search(NAME, { ...asked, limit: 20 });
            const paged: Hit[] = [];
            for (let offset = 0; offset < 20; offset += 5)
              paged.push(...(await mill.search(NAME, { ...asked, limit: 5, offset })));
            expect(new Set(whole.map(({ id }) => id)).size).toBe(whole.length);
            expect([asked, paged.map(({ id }) => id)]).toEqual([asked, whole.map(({ id }) => id)]);
            found.push([asked, shown(whole)]);
          }
        return found;
      }),
    );
    for (const other of pages.slice(1)) expectSame(other, pages[0] ?? []);
  });

  test('recommend the same, in the same order', async () => {
    const recommended = await Promise.all(
      running.map(async ({ mill }) => {
        const found: [object, ReturnType<typeof shown>][] = [];
        for (const strategy of ['average', 'best'])
          for (const [n, filter] of [undefined, ...FILTERS].entries())
            for (const group of [false, true]) {
              const positive = [{ id: `d${n}` }, { id: 'd200' }];
              const asked = { positive, negative: [{ text: 'fish' }], strategy, filter, group, limit: 15 };
              const { hits } = await mill.json<{ hits: Hit[] }>(
                `/api/v1/collections/${NAME}/recommend`,
                asked,
              );
              found.push([asked, shown(hits)]);
            }
        return found;
      }),
    );
    for (const other of recommended.slice(1)) expectSame(other, recommended[0] ?? []);
  });

  /** Runs two jobs over the same documents; returns what the store itself then says it holds. */
  async function jobsWithKills({ title: where, mill, store }: Running) {
    await mill.json('/api/v1/collections', { name: NAME, profile: PROFILE });
    const first = await mill.submit(NAME, ndjson(DOCUMENTS));
    // One process dies once the job runs, the next once part of it is done: at no time may anything be lost.
    await reached(mill, first, ({ state }) => state !== 'queued' && state !== 'scanning');
    const { processes } = await mill.state();
    process.kill(processes.worker, 'SIGKILL');
    await reached(mill, first, ({ done }) => done > 0);
    process.kill((await mill.state()).processes.worker, 'SIGKILL');
    const second = await mill.submit(NAME, ndjson([...DELETED, ...REPLACED]));
    process.kill(processes.api, 'SIGKILL');
    if (processes.store !== null) process.kill(processes.store, 'SIGKILL');
    const jobs: Job[] = [];
    for (const job of [first, second]) jobs.push(await mill.finished(job));
    expect(jobs.map(({ state, failed }) => [state, failed])).toEqual([
      ['completed', 0],
      ['completed', 0],
    ]);
    // What was switched off for the bulk load is on again, although the dispatcher was killed.
    await vi.waitFor(async () => expect((await store.loads?.list()) ?? []).toEqual([]), DEADLINE);
    const documents = await store.scanDocuments(NAME, { limit: 1000 });
    return {
      title: where,
      documents: documents.map(({ id }) => id as string).toSorted(),
      points: await store.countPoints(NAME),
      byTenant: await store.countDocuments(NAME, 'tenant'),
    };
  }
});

async function reached(mill: Embedmill, { id }: Job, where: (job: Job) => boolean): Promise<void> {
  await mill.until('the job has come so far', async () => where(await mill.json<Job>(`/api/v1/jobs/${id}`)));
}

/** Each of the queries in every mode: plain, filtered, and reranked. */
function* questions() {
  for (const [n, query] of QUERIES.entries()) {
    const modes = [
      { mode: 'dense' },
      { mode: 'sparse' },
      { mode: 'hybrid', fusion: { method: 'dbsf' } },
      { mode: 'hybrid', fusion: { method: 'rrf' } },
    ];
    for (const mode of modes) {
      yield { query, ...mode, limit: 20 };
      yield { query, ...mode, limit: 20, filter: FILTERS[n % FILTERS.length] };
    }
    yield { query, mode: 'hybrid', rerank: { depth: 20 }, limit: 10 };
  }
}

/** The parts of a hit that are the same in every store. */
function shown(hits: readonly Hit[]): { hit: string; score: number }[] {
  return hits.map(({ id, chunk, score }) => ({ hit: `${id}/${chunk.index}`, score }));
}

function expectSame(
  found: [object, ReturnType<typeof shown>][],
  expected: [object, ReturnType<typeof shown>][],
): void {
  for (const [n, [asked, hits]] of found.entries()) {
    const others = expected[n]?.[1] ?? [];
    expect([asked, hits.map(({ hit }) => hit)]).toEqual([asked, others.map(({ hit }) => hit)]);
    for (const [at, { score }] of hits.entries()) expect(score).toBeCloseTo(others[at]?.score ?? NaN, 4);
  }
}

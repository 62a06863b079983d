import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { DEFAULT_TENANT, pointId, type CollectionName, type DocumentId } from '@embedmill/jobs';
import { ANSWER_CHARACTERS } from './answer-size.ts';
import { fakeVectors, NESTED } from '../testing/fake-worker.ts';
import { storedPayload } from '../testing/stored-payload.fixture.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** The stored data exceeds one response; every route returns it in pages, each item once. */
let api: TestApi;
const NAME = 'large' as CollectionName;
const DOCUMENTS = 330;
const CHUNKS = 360;
const PART = 30_000;
/** In addition to texts, titles and metadata. */
const REST = 512 * 1024;

const [vector = new Float32Array()] = [
  fakeVectors({ inputs: ['river'], role: 'query' }, NESTED.dims).vectors,
];

function document(name: string, chunks: number, part: number) {
  const id = name as DocumentId;
  const points = Array.from({ length: chunks }, (_, index) => {
    const text = `river ${name} ${index} ${'x'.repeat(part)}`;
    const place = { chunk_index: index, chunk_count: chunks, start: index * text.length };
    return {
      id: pointId(DEFAULT_TENANT, NAME, id, index),
      dense: vector,
      payload: storedPayload(id, text, {
        ...place,
        end: (index + 1) * text.length,
        metadata: { note: chunks > 1 ? '' : 'y'.repeat(part) },
      }),
    };
  });
  return { tenant: DEFAULT_TENANT, id, sequence: 1, points };
}

beforeAll(async () => {
  api = await startTestApi();
  await api.answerQueries();
  for (const name of [NAME, 'long'])
    await api.json('POST', '/api/v1/collections', { name, profile: { model: NESTED.name } });
  const documents = Array.from({ length: DOCUMENTS }, (_, n) => document(`d${n}`, 1, PART));
  await api.parts.store.replaceDocuments(NAME, documents);
  await api.parts.store.replaceDocuments('long' as CollectionName, [document('whole', CHUNKS, 2 * PART)]);
}, 120_000);
afterAll(() => api.close());

const at = (path: string) => `/api/v1/collections/${path}`;

async function ask<T>(method: string, path: string, body?: object): Promise<{ answer: T; bytes: number }> {
  const asked = () =>
    api.call(at(path), {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  let response = await asked();
  // The store is in this process, so on a busy machine the server may be delayed for a moment.
  for (const deadline = Date.now() + 60_000; response.status === 429 && Date.now() < deadline;) {
    await setTimeout(1000 * Number(response.headers.get('retry-after')));
    response = await asked();
  }
  const text = await response.text();
  expect(response.status, text.slice(0, 500)).toBe(200);
  return { answer: JSON.parse(text) as T, bytes: text.length };
}

/** Follows `next`, checks that no page is too large, and returns all items. */
async function all<Answer extends { next?: unknown }, Item>(
  page: (next: Answer['next']) => Promise<{ answer: Answer; bytes: number }>,
  itemsOf: (answer: Answer) => Item[],
  most = ANSWER_CHARACTERS + REST,
): Promise<{ items: Item[]; pages: number }> {
  const items: Item[] = [];
  let next: Answer['next'] | undefined;
  for (let pages = 1; ; pages += 1) {
    const { answer, bytes } = await page(next);
    expect(bytes).toBeLessThan(most);
    items.push(...itemsOf(answer));
    if (answer.next === undefined || answer.next === null) return { items, pages };
    next = answer.next;
  }
}

interface Hits {
  hits: { id: string }[];
  next?: number;
}
const idsOf = ({ hits }: Hits) => hits.map(({ id }) => id);

test.each([
  ['a search', 'search', { query: 'river' }],
  ['a search that gives one hit a document', 'search', { query: 'river', group: true }],
  ['a search of several questions', 'search', { queries: [{ query: 'river' }, { query: 'a river' }] }],
  ['a search that reranks', 'search', { query: 'river', rerank: { model: 'judge', depth: 20 } }],
  ['a recommendation', 'recommend', { positive: [{ text: 'river' }] }],
  [
    'a recommendation by the best of the examples',
    'recommend',
    { positive: [{ text: 'river' }], strategy: 'best' },
  ],
])('%s', async (_name, route, body) => {
  const { items, pages } = await all<Hits, string>(
    (offset = 0) => ask('POST', `${NAME}/${route}`, { ...body, limit: 1000, offset }),
    idsOf,
  );
  expect(new Set(items).size).toBe(DOCUMENTS);
  expect(items).toHaveLength(DOCUMENTS);
  expect(pages).toBe(2);
});

test('points', async () => {
  const { items, pages } = await all<{ points: { id: string }[]; next: string | null }, string>(
    (after) => ask('GET', `${NAME}/points?limit=1000${typeof after === 'string' ? `&after=${after}` : ''}`),
    ({ points }) => points.map(({ id }) => id),
  );
  expect(new Set(items).size).toBe(DOCUMENTS);
  expect(pages).toBe(2);
});

test('near-duplicates', async () => {
  type Side = { id: string };
  type Pairs = { pairs: { first: Side; second: Side }[]; points: number; next: string | null };
  const firsts: string[] = [];
  // Each page costs searches as deep as the collection, so two pages suffice.
  let after: string | null | undefined;
  for (let pages = 0; pages < 2; pages += 1) {
    const { answer, bytes }: { answer: Pairs; bytes: number } = await ask('POST', `${NAME}/near-duplicates`, {
      points: 40,
      ...(after && { after }),
    });
    expect(bytes).toBeLessThan(ANSWER_CHARACTERS + REST);
    expect(answer.points).toBeGreaterThan(0);
    expect(answer.points).toBeLessThan(40);
    firsts.push(...new Set(answer.pairs.map(({ first }) => first.id)));
    after = answer.next;
  }
  expect(new Set(firsts).size).toBe(firsts.length);
});

test('a document, whose text is whole in each answer', async () => {
  type Stored = { chunks: { index: number }[]; text: string; next?: number };
  const { items, pages } = await all<Stored, number>(
    (from = 0) => ask('GET', `long/documents/whole?from=${from}`),
    ({ chunks }) => chunks.map(({ index }) => index),
    ANSWER_CHARACTERS + REST + CHUNKS * (2 * PART + 100),
  );
  expect(items).toEqual(Array.from({ length: CHUNKS }, (_, n) => n));
  expect(pages).toBe(2);
});

const queries = [{ query: 'river' }, { query: 'river d7' }];
const byTexts = { positive: [{ text: 'river' }, { text: 'river d7' }] };

test.each([
  ['one question', 'search', { query: 'river' }, 10],
  ['several questions', 'search', { queries }, 10],
  ['one chunk of each document', 'search', { query: 'river', group: true }, DOCUMENTS + 10],
  ['the mean of examples', 'recommend', byTexts, 10],
  ['the best of examples', 'recommend', { ...byTexts, strategy: 'best' }, 10],
  [
    'the best of examples, by document',
    'recommend',
    { ...byTexts, strategy: 'best', group: true },
    DOCUMENTS + 10,
  ],
])(
  'deep in a ranking by %s, payloads are read of the page, or some at a time',
  async (_by, route, body, most) => {
    const { store } = api.parts;
    const payloads = vi.spyOn(store, 'getPayloads');
    const searches = vi.spyOn(store, 'search');
    const points = vi.spyOn(store, 'getPoints');
    const { answer } = await ask<{ hits: unknown[] }>('POST', `${NAME}/${route}`, {
      ...body,
      limit: 10,
      offset: DOCUMENTS - 10,
    });
    expect(answer.hits.length).toBe(10);
    const read = payloads.mock.calls.map(([, ids]) => ids.length);
    expect(Math.max(...read)).toBeLessThanOrEqual(64);
    expect(read.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(most);
    expect(searches).not.toHaveBeenCalled();
    expect(points).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  },
);

test('near-duplicates read the payloads of neighbours some at a time, however many there are', async () => {
  const payloads = vi.spyOn(api.parts.store, 'getPayloads');
  const { answer } = await ask<{ pairs: unknown[] }>('POST', `${NAME}/near-duplicates`, { threshold: 0 });
  expect(answer.pairs.length).toBeGreaterThan(100);
  expect(Math.max(...payloads.mock.calls.map(([, ids]) => ids.length))).toBeLessThanOrEqual(64);
  vi.restoreAllMocks();
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CollectionName, DocumentId, Hit } from '@embedmill/jobs';
import { SEARCHED_PROFILE, storedDocument } from '../testing/stored-document.fixture.ts';
import type { STORES } from '../testing/storing-api.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

const NAME = 'copies' as CollectionName;
const DOCUMENTS = 170;
const TEXTS = ['the bank of the river', 'a bank keeps money', 'lazy dogs sleep all day', 'the old mill'];

const keyOf = ({ id, chunk }: Hit) => `${id} ${chunk.index}`;

const query = 'the bank of the river';
const queries = [{ query }, { query: 'a bank keeps money', weight: 2 }];
const positive = [{ text: query }, { id: 'd1' }];
const CASES: [string, 'search' | 'recommend', object][] = [
  ['dense', 'search', { query, mode: 'dense' }],
  ['sparse, one scheme', 'search', { query, mode: 'sparse', sparse: ['bm25'] }],
  ['sparse, all schemes', 'search', { query, mode: 'sparse' }],
  ['hybrid by ranks', 'search', { query, fusion: { method: 'rrf' } }],
  ['hybrid by scores', 'search', { query, fusion: { method: 'dbsf' } }],
  ['hybrid, few hits of each list', 'search', { query, fusion: { depth: 3 } }],
  ['several questions', 'search', { queries }],
  ['reranked', 'search', { query, rerank: true }],
  [
    'dense, reranked by a cross-encoder',
    'search',
    { query, mode: 'dense', rerank: { model: 'judge', depth: 20 } },
  ],
  ['by example', 'recommend', { positive, negative: [{ text: TEXTS[2] }] }],
  ['by the best example', 'recommend', { positive, strategy: 'best' }],
];

/**
 * Walks the pages of every kind of search in a store, over documents of which most equal many others. The conformance
 * suite tests that a store orders ties consistently for all limits.
 */
export function testPages(open: (typeof STORES)[number][1]): void {
  let api: TestApi;
  beforeAll(async () => {
    const own = await open();
    api = await startTestApi(own.store === undefined ? {} : { store: own.store });
    api.onClose(async () => own.close?.());
    await api.answerQueries();
    const created = await api.json('POST', '/api/v1/collections', {
      name: NAME,
      profile: SEARCHED_PROFILE,
    });
    expect(created.status).toBe(201);
    const documents = Array.from({ length: DOCUMENTS }, (_, n) => {
      // Every fifth has two chunks, every seventh a unique text.
      const chunks = Array.from({ length: n % 5 === 0 ? 2 : 1 }, (_, index) => TEXTS[(n + index) % 4] ?? '');
      const texts = chunks.map((chunk) => (n % 7 === 0 ? `${chunk} number${n}` : chunk));
      return storedDocument(NAME, `d${n}` as DocumentId, texts);
    });
    await api.parts.store.replaceDocuments(NAME, documents);
  });
  afterAll(() => api?.close());

  /** All hits of a search, page by page. */
  async function walked(route: 'search' | 'recommend', request: object, limit: number): Promise<Hit[]> {
    const all: Hit[] = [];
    for (;;) {
      const { status, body } = await api.json('POST', `/api/v1/collections/${NAME}/${route}`, {
        ...request,
        limit,
        offset: all.length,
      });
      expect(status).toBe(200);
      const { hits } = body as { hits: Hit[] };
      all.push(...hits);
      if (hits.length < limit) return all;
    }
  }

  describe.each(CASES)('pages of hits, %s,', (_, route, request) => {
    test.each([false, true])('show each once, whatever their size (grouped: %s)', async (group) => {
      const whole = (await walked(route, { ...request, group }, 1000)).map(keyOf);
      expect(new Set(whole).size).toBe(whole.length);
      if (group) expect(new Set(whole.map((key) => key.split(' ')[0])).size).toBe(whole.length);
      if (group && !('mode' in request && request.mode === 'sparse'))
        expect(whole.length).toBe(route === 'recommend' ? DOCUMENTS - 1 : DOCUMENTS);
      // Beyond the hundredth hit, too.
      if (!('sparse' in request)) expect(whole.length).toBeGreaterThan(120);
      for (const limit of [13, 70])
        expect((await walked(route, { ...request, group }, limit)).map(keyOf)).toEqual(whole);
    });
  });

  test('each of many equal chunks is in a pair of near-duplicates, and no pair comes twice', async () => {
    const seen = new Set<string>();
    const pairs: string[] = [];
    for (let after: string | undefined; ;) {
      const { body } = await api.json('POST', `/api/v1/collections/${NAME}/near-duplicates`, {
        threshold: 0.999,
        points: 50,
        ...(after === undefined ? {} : { after }),
      });
      const page = body as {
        pairs: { first: { id: string; chunk: number }; second: { id: string; chunk: number } }[];
        next: string | null;
      };
      for (const { first, second } of page.pairs) {
        const sides = [first, second].map(({ id, chunk }) => `${id} ${chunk}`);
        for (const side of sides) seen.add(side);
        pairs.push(sides.toSorted().join(' and '));
      }
      if (page.next === null) break;
      after = page.next;
    }
    expect(new Set(pairs).size).toBe(pairs.length);
    const equal = Array.from({ length: DOCUMENTS }, (_, n) => n).filter((n) => n % 7 !== 0);
    const chunks = equal.flatMap((n) => (n % 5 === 0 ? [`d${n} 0`, `d${n} 1`] : [`d${n} 0`]));
    expect([...seen].toSorted()).toEqual(expect.arrayContaining(chunks));
  });
}

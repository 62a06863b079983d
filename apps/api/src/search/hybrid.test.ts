import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  ANALYSIS_VERSION,
  DEFAULT_TENANT,
  pointId,
  type CollectionName,
  type DocumentId,
  type Hit,
  type SearchRequestInput,
} from '@embedmill/jobs';
import { analyzerOf, bm25Document } from '@embedmill/sparse-weighting';
import { fakeTokenVectors, MINI, NESTED, FLAT } from '../testing/fake-worker.ts';
import { SEARCHED_PROFILE, storedDocument, vectorOf } from '../testing/stored-document.fixture.ts';
import { storedPayload } from '../testing/stored-payload.fixture.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** Searches over dense, BM25 and SPLADE vectors in the real embedded store; a fake worker embeds. */
let api: TestApi;
const NAME = 'texts' as CollectionName;
const TEXTS: Record<string, string[]> = {
  fox: ['the quick brown fox', 'a fox jumps over lazy dogs'],
  dog: ['lazy dogs sleep all day'],
  bank: ['the bank of the river'],
  money: ['a bank keeps money'],
  copy: ['a bank keeps  money'],
};

beforeAll(async () => {
  api = await startTestApi();
  await api.answerQueries();
  const created = await api.json('POST', '/api/v1/collections', {
    name: NAME,
    profile: SEARCHED_PROFILE,
  });
  expect(created.status).toBe(201);
  const documents = Object.entries(TEXTS).map(([id, chunks]) =>
    storedDocument(NAME, id as DocumentId, chunks),
  );
  await api.parts.store.replaceDocuments(NAME, documents);
});
afterAll(() => api.close());

const post = (path: string, body: unknown) => api.json('POST', path, body);
async function hitsOf(request: SearchRequestInput): Promise<Hit[]> {
  const { status, body } = await post(`/api/v1/collections/${NAME}/search`, request);
  expect(body).toMatchObject({ hits: expect.any(Array) as unknown });
  expect(status).toBe(200);
  return (body as { hits: Hit[] }).hits;
}
const idsOf = async (request: SearchRequestInput) => (await hitsOf(request)).map(({ id }) => id);

describe('modes', () => {
  test('sparse finds what shares a word, and nothing else', async () => {
    expect((await idsOf({ query: 'banks', mode: 'sparse', sparse: ['bm25'] })).toSorted()).toEqual([
      'bank',
      'copy',
      'money',
    ]);
    expect(await idsOf({ query: 'elephant', mode: 'sparse', sparse: ['bm25'] })).toEqual([]);
  });

  test('a sparse score is the store’s own', async () => {
    const [hit] = await hitsOf({ query: 'fox', mode: 'sparse', sparse: ['bm25'] });
    const idf = Math.log(1 + (6 - 2 + 0.5) / (2 + 0.5));
    const weight = (1 * 2.2) / (1 + 1.2 * (1 - 0.75 + (0.75 * 3) / 4));
    expect(hit!.scores).toEqual({ bm25: expect.closeTo(idf * weight, 4) as number });
    expect(hit!.score).toBe(hit!.scores!['bm25']);
  });

  test('hybrid is the default, and says what each list gave', async () => {
    const hits = await hitsOf({ query: 'a bank keeps money', limit: 2 });
    expect(hits[0]!.id).toBe('money');
    expect(Object.keys(hits[0]!.scores!).toSorted()).toEqual(['bm25', 'dense', 'splade']);
    const [byRanks] = await hitsOf({ query: 'a bank keeps money', limit: 2, fusion: { method: 'rrf' } });
    expect(byRanks!.score).toBeCloseTo(3 / 61, 6);
    expect(hits[0]!.score).toBeGreaterThan(1);
  });

  test('an explained hit says what part of its score each list gave; a reranked one has no such score', async () => {
    const query = 'a bank keeps money';
    expect((await hitsOf({ query }))[0]).not.toHaveProperty('shares');
    for (const method of ['dbsf', 'rrf'] as const) {
      for (const { shares = {} } of await hitsOf({ query, explain: true, fusion: { method } })) {
        expect(Object.keys(shares).toSorted()).toEqual(['bm25', 'dense', 'splade']);
        expect(Object.values(shares).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
      }
    }
    const weights = { dense: 0, splade: 0 };
    const [words] = await hitsOf({ query, explain: true, fusion: { method: 'rrf', weights } });
    expect(words!.shares).toEqual({ dense: 0, splade: 0, bm25: 1 });
    const [reranked] = await hitsOf({ query, explain: true, rerank: true });
    expect(reranked!.scores).toHaveProperty('rerank');
    expect(reranked).not.toHaveProperty('shares');
    const [alone] = await hitsOf({ query, explain: true, mode: 'dense' });
    expect(alone).not.toHaveProperty('shares');
  });

  test('words of a question in another script count less, unless the request says what they count', async () => {
    const name = 'chinese' as CollectionName;
    const profile = { model: NESTED.name, sparse: { bm25: { averageLength: 4, language: 'chinese' } } };
    expect((await post('/api/v1/collections', { name, profile })).status).toBe(201);
    const text = '用 apt install 安装软件包';
    const id = 'apt' as DocumentId;
    const bm25 = bm25Document(text, analyzerOf('chinese', ANALYSIS_VERSION), { k1: 1.2, b: 0.75 }, 4);
    const point = {
      id: pointId(DEFAULT_TENANT, name, id, 0),
      dense: vectorOf(text),
      sparse: { bm25 },
      payload: storedPayload(id, text),
    };
    await api.parts.store.replaceDocuments(name, [
      { tenant: DEFAULT_TENANT, id, sequence: 1, points: [point] },
    ]);
    const scoreOf = async (query: string, weights: object): Promise<number> => {
      const fusion = { method: 'rrf', k: 0, weights: { dense: 0, ...weights } };
      const { body } = await post(`/api/v1/collections/${name}/search`, { query, fusion });
      return (body as { hits: Hit[] }).hits[0]!.score;
    };
    expect(await scoreOf('install some package', {})).toBeCloseTo(0.3, 6);
    expect(await scoreOf('install some package', { bm25: 1 })).toBeCloseTo(1, 6);
    expect(await scoreOf('apt install', {})).toBeCloseTo(1, 6);
    expect(await scoreOf('用 apt install 安装', {})).toBeCloseTo(1, 6);
  });

  test('weights and the method of fusion count', async () => {
    const query = 'lazy dogs sleep all day';
    const [first] = await hitsOf({
      query,
      sparse: ['bm25'],
      fusion: { method: 'rrf', weights: { dense: 0 }, k: 0 },
    });
    expect(first!.score).toBeCloseTo(1, 6);
    const [scaled] = await hitsOf({ query, sparse: ['bm25'] });
    expect(scaled!.id).toBe('dog');
    expect(scaled!.score).toBeGreaterThan(1);
  });

  test('several questions find what any of them finds', async () => {
    const ids = await idsOf({
      queries: [{ query: 'river' }, { query: 'jumps', weight: 2 }],
      mode: 'sparse',
      sparse: ['bm25'],
    });
    expect(ids).toEqual(['fox', 'bank']);
  });

  test.each([
    [{}, 'query'],
    [{ query: 'x', queries: [{ query: 'y' }] }, 'query'],
    [{ queries: [{ query: ' ' }] }, 'queries/0/query'],
    [{ query: 'x', sparse: ['bm42'] }, 'sparse'],
    [{ query: 'x', mode: 'dense', sparse: ['bm25'] }, 'sparse'],
    [{ image: 'data:image/png;base64,AA==', mode: 'sparse' }, 'mode'],
    [{ image: 'https://example.org/a.png' }, 'image'],
    [{ query: 'x', rerank: { model: 'none' } }, 'rerank/model'],
  ])('%j is refused', async (request, path) => {
    const { status, body } = await post(`/api/v1/collections/${NAME}/search`, request);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(body).toMatchObject({ errors: [{ path }] });
  });
});

describe('reranking', () => {
  test('late interaction is one of three combined scores', async () => {
    const hits = await hitsOf({ query: 'a bank keeps money', rerank: true, sparse: ['bm25'] });
    expect(hits[0]!.id).toBe('money');
    expect(hits[0]!.scores).toMatchObject({ rerank: 1 });
    expect(hits).toHaveLength(6);
    for (let n = 1; n < hits.length; n += 1)
      expect(hits[n - 1]!.score).toBeGreaterThanOrEqual(hits[n]!.score);
  });

  test('reads token vectors that are stored, whatever the texts are', async () => {
    const name = 'kept' as CollectionName;
    const profile = { model: NESTED.name, lateInteraction: { poolFactor: 1 } };
    expect((await api.json('POST', '/api/v1/collections', { name, profile })).status).toBe(201);
    const said: Record<string, string> = { one: 'a bank keeps money', two: 'the moon', three: 'a bank' };
    const documents = Object.entries(said).map(([id, text]) => ({
      tenant: DEFAULT_TENANT,
      id: id as DocumentId,
      sequence: 1,
      points: [
        {
          id: pointId(DEFAULT_TENANT, name, id as DocumentId, 0),
          dense: vectorOf('alike'),
          ...(id !== 'two' && { tokens: fakeTokenVectors(text, NESTED.dims).vectors }),
          payload: storedPayload(id as DocumentId, 'alike'),
        },
      ],
    }));
    await api.parts.store.replaceDocuments(name, documents);
    const { body } = await post(`/api/v1/collections/${name}/search`, { query: 'bank money', rerank: true });
    const hits = (body as { hits: Hit[] }).hits;
    expect(hits.map(({ id }) => id)).toEqual(['one', 'three', 'two']);
    // Rounded to bytes twice.
    expect(hits[0]!.scores!['rerank']).toBeCloseTo(1, 2);
    expect(hits[1]!.scores!['rerank']).toBeGreaterThan(0.5);
    expect(hits[2]!.scores!['rerank']).toBe(0);
    const asked = vi.spyOn(api.parts.queue, 'query');
    const again = { query: 'bank money', rerank: true };
    expect((await post(`/api/v1/collections/${name}/search`, again)).body).toEqual(body);
    expect(asked.mock.calls.map(([query]) => query.task)).toEqual(['tokens']);

    // Like workers of an earlier version, which return only tokens.
    asked.mockRestore();
    const { query: ask } = api.parts.queue;
    const earlier = vi.spyOn(api.parts.queue, 'query').mockImplementation(async (...given) => {
      const answer = await ask.call(api.parts.queue, ...given);
      return 'questions' in answer ? { ...answer, dense: undefined } : answer;
    });
    expect((await post(`/api/v1/collections/${name}/search`, again)).body).toEqual(body);
    expect(earlier.mock.calls.map(([query]) => query.task)).toEqual(['tokens', 'embed']);
    earlier.mockRestore();

    const other = await post(`/api/v1/collections/${name}/migration`, { model: MINI.name });
    expect(other).toMatchObject({ status: 422, body: { code: 'invalid_profile' } });
  });

  test('is not asked of a model that has no vectors of single tokens', async () => {
    const profile = { model: FLAT.name, lateInteraction: {} };
    expect(await api.json('POST', '/api/v1/collections', { name: 'flat', profile })).toMatchObject({
      status: 422,
      body: { code: 'invalid_profile', errors: [{ path: 'profile/lateInteraction' }] },
    });
  });

  test('a cross-encoder alone decides the order, and hits beyond its depth stay behind', async () => {
    const hits = await hitsOf({ query: 'river the of bank', rerank: { model: 'judge', depth: 3 } });
    expect(hits[0]).toMatchObject({ id: 'bank', score: 1 });
    expect(hits.slice(3).every(({ scores }) => scores!['rerank'] === undefined)).toBe(true);
  });
});

describe('hits', () => {
  test('are grouped by document, and pages count documents', async () => {
    const request = { query: 'fox dogs bank', group: true } as const;
    const all = await idsOf({ ...request, limit: 10 });
    expect(all.toSorted()).toEqual(['bank', 'copy', 'dog', 'fox', 'money']);
    expect(await idsOf({ ...request, limit: 2, offset: 1 })).toEqual(all.slice(1, 3));
    expect(await idsOf({ ...request, mode: 'dense', limit: 5, fusion: { depth: 1 } })).toHaveLength(5);
  });

  test('show where the query’s words stand in the document', async () => {
    const hits = await hitsOf({ query: 'jumping', mode: 'sparse', sparse: ['bm25'], highlight: true });
    expect(hits[0]).toMatchObject({ id: 'fox', highlights: [{ start: 106, end: 111 }] });
  });

  test('are explained by the words that matched, whose shares add up', async () => {
    const request = { query: 'lazy fox', mode: 'sparse', explain: true, limit: 1 } as const;
    const [hit] = await hitsOf({ ...request, sparse: ['bm25'] });
    expect(hit!.explanation!.map(({ scheme, term }) => `${scheme} ${term}`).toSorted()).toEqual([
      'bm25 fox',
      'bm25 lazy',
    ]);
    expect(hit!.explanation!.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    const total = hit!.explanation!.reduce((sum, { query, document }) => sum + query * document, 0);
    expect(total).toBeCloseTo(hit!.score, 4);
    const [other] = await hitsOf({ ...request, sparse: ['splade'] });
    expect(other!.explanation![0]!.term).toMatch(/^term \d+$/);
  });
});

describe('recommendations', () => {
  const recommend = async (request: object) =>
    ((await post(`/api/v1/collections/${NAME}/recommend`, request)).body as { hits: Hit[] }).hits;

  test('an example document is not among its own recommendations', async () => {
    const hits = await recommend({ positive: [{ id: 'money' }], group: true });
    expect(hits.map(({ id }) => id).toSorted()).toEqual(['bank', 'copy', 'dog', 'fox']);
  });

  test('texts and ids may be mixed, with things to be unlike', async () => {
    for (const strategy of ['average', 'best']) {
      const hits = await recommend({
        positive: [{ text: 'a fox' }, { id: 'dog' }],
        negative: [{ id: 'bank' }],
        strategy,
        limit: 2,
      });
      expect(hits).toHaveLength(2);
      expect(hits.some(({ id }) => id === 'dog' || id === 'bank')).toBe(false);
    }
  });

  test('an id that is not there is named', async () => {
    expect(
      await post(`/api/v1/collections/${NAME}/recommend`, { positive: [{ text: 'x' }, { id: 'none' }] }),
    ).toMatchObject({ status: 400, body: { errors: [{ path: 'positive/1/id' }] } });
  });
});

test('near-duplicates come as pairs, each once, page by page', async () => {
  const twin = vectorOf('a bank keeps money');
  const points = await api.parts.store.getPoints(NAME, [
    { tenant: DEFAULT_TENANT, id: 'copy' as DocumentId },
  ]);
  await api.parts.store.replaceDocuments(NAME, [
    {
      tenant: DEFAULT_TENANT,
      id: 'copy' as DocumentId,
      sequence: 1,
      points: points.map((point) => ({ ...point, dense: twin })),
    },
  ]);
  const pairs: unknown[] = [];
  let pages = 0;
  for (let after: string | null | undefined; after !== null; pages += 1) {
    const { body } = await post(`/api/v1/collections/${NAME}/near-duplicates`, {
      threshold: 0.999,
      points: 4,
      ...(after !== undefined && { after }),
    });
    const page = body as { pairs: { first: { id: string }; second: { id: string } }[]; next: string | null };
    pairs.push(...page.pairs.map(({ first, second }) => [first.id, second.id].toSorted()));
    after = page.next;
  }
  expect(pairs).toEqual([['copy', 'money']]);
  expect(pages).toBe(2);
});

test('a stored document shows its sparse vectors as words', async () => {
  const { status, body } = await api.json('GET', `/api/v1/collections/${NAME}/documents/fox`);
  expect(status).toBe(200);
  const { chunks } = body as { chunks: { index: number; terms: Record<string, { term: string }[]> }[] };
  expect(chunks.map(({ index }) => index)).toEqual([0, 1]);
  expect(chunks[0]!.terms['bm25']!.map(({ term }) => term).toSorted()).toEqual(['brown', 'fox', 'quick']);
  expect(chunks[1]!.terms['splade']![0]!.term).toMatch(/^term/);
  expect(await api.json('GET', `/api/v1/collections/${NAME}/documents/none`)).toMatchObject({
    status: 404,
    body: { code: 'document_not_found' },
  });
});

test('all points come with their vectors, page by page', async () => {
  const seen: string[] = [];
  for (let next: string | null = ''; next !== null;) {
    const query: string = next === '' ? '' : `&after=${next}`;
    const { body } = await api.json('GET', `/api/v1/collections/${NAME}/points?limit=4${query}`);
    const page = body as { points: { id: string; chunk: number; dense: string }[]; next: string | null };
    for (const { id, chunk, dense } of page.points) {
      seen.push(`${id} ${chunk}`);
      expect(Buffer.from(dense, 'base64')).toHaveLength(4 * NESTED.dims);
    }
    next = page.next;
  }
  expect(seen.toSorted()).toEqual(['bank 0', 'copy 0', 'dog 0', 'fox 0', 'fox 1', 'money 0']);
});

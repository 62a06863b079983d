import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  DEFAULT_TENANT,
  pointId,
  type Collection,
  type CollectionName,
  type DocumentId,
  type Hit,
  type Language,
} from '@embedmill/jobs';
import { analyzerOf, bm25Document } from '@embedmill/sparse-weighting';
import { fakeVectors, NESTED } from '../testing/fake-worker.ts';
import { storedPayload } from '../testing/stored-payload.fixture.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** How searches treat words, in the real embedded store; points are written as a worker writes them. */
let api: TestApi;
const TEXTS: Record<string, string> = {
  decomposed: 'we met in the cafe\u0301 at noon',
  ligature: 'the ﬁnance of ﬂowers',
  wide: 'ＡＢＣ of the trade',
  hyphens: 'co\u00adoper\u00adation pays',
  sharp: 'die STRASSE ist lang',
};

beforeAll(async () => {
  api = await startTestApi();
  await api.answerQueries();
});
afterAll(() => api.close());

async function createOf(name: string, language: Language): Promise<Collection> {
  const profile = { model: NESTED.name, sparse: { bm25: { averageLength: 4, language } } };
  await api.json('POST', '/api/v1/collections', { name, profile });
  const created = await api.parts.store.getCollection(name as CollectionName);
  return created!;
}

async function write({ name, analysis }: Collection, language: Language, texts = TEXTS): Promise<void> {
  const collection = name as CollectionName;
  const documents = Object.entries(texts).map(([key, text]) => {
    const id = key as DocumentId;
    const analyzer = analyzerOf(language, analysis);
    const point = {
      id: pointId(DEFAULT_TENANT, collection, id, 0),
      dense: fakeVectors({ inputs: [text], role: 'document' }, NESTED.dims).vectors,
      sparse: { bm25: bm25Document(text, analyzer, { k1: 1.2, b: 0.75 }, 4) },
      payload: storedPayload(id, text),
    };
    return { tenant: DEFAULT_TENANT, id, sequence: 1, points: [point] };
  });
  await api.parts.store.replaceDocuments(collection, documents);
}

async function hitsOf(name: string, query: string): Promise<Hit[]> {
  const request = { query, mode: 'sparse', highlight: true, explain: true };
  const { body } = await api.json('POST', `/api/v1/collections/${name}/search`, request);
  return (body as { hits: Hit[] }).hits;
}
const marked = ({ text, highlights = [] }: Hit) => highlights.map(({ start, end }) => text.slice(start, end));

test('words that are equal by Unicode’s rules match, are highlighted as written, and explained', async () => {
  const collection = await createOf('folded', 'none');
  expect(collection.analysis).toBe(2);
  await write(collection, 'none');
  for (const [query, id, mark] of [
    ['CAFÉ', 'decomposed', 'cafe\u0301'],
    ['finance', 'ligature', 'ﬁnance'],
    ['abc', 'wide', 'ＡＢＣ'],
    ['ｃｏoperation', 'hyphens', 'co\u00adoper\u00adation'],
    ['Straße', 'sharp', 'STRASSE'],
  ] as const) {
    const hits = await hitsOf('folded', query);
    expect(hits.map((hit) => hit.id)).toEqual([id]);
    expect(marked(hits[0]!)).toEqual([mark]);
    expect(hits[0]!.explanation).toMatchObject([{ scheme: 'bm25', share: 1 }]);
    expect(hits[0]!.explanation![0]!.term).not.toMatch(/^#/);
  }
});

test('Turkish distinguishes dotted and dotless i', async () => {
  const collection = await createOf('turkish', 'turkish');
  await write(collection, 'turkish', { istanbul: 'İSTANBUL büyük', isparta: 'ISPARTA küçük' });
  expect((await hitsOf('turkish', 'istanbul')).map(({ id }) => id)).toEqual(['istanbul']);
  expect((await hitsOf('turkish', 'ısparta')).map(({ id }) => id)).toEqual(['isparta']);
  expect(await hitsOf('turkish', 'isparta')).toEqual([]);
});

test('a query to an older collection is analysed like its documents', async () => {
  const { analysis, ...older } = await createOf('made-now', 'none');
  expect(analysis).toBe(2);
  const name = 'made-before' as CollectionName;
  await api.parts.store.createCollection({ ...older, name });
  const before = (await api.parts.store.getCollection(name))!;
  expect(before.analysis).toBeUndefined();
  await write(before, 'none');
  const [hit] = await hitsOf(name, 'ﬁnance');
  expect(hit).toMatchObject({ id: 'ligature' });
  expect(marked(hit!)).toEqual(['ﬁnance']);
  expect(await hitsOf(name, 'finance')).toEqual([]);
});

import { expect, test } from 'vitest';
import { isWhole, modesOf, requestOf, type Asked } from './asked.ts';

const ASKED: Asked = {
  collection: 'books',
  query: ' a whale ',
  positive: [],
  negative: [],
  rerank: 'none',
  fusion: 'dbsf',
  group: false,
  limit: 10,
  filter: undefined,
};

test('a search request has its mode and leaves out the serverâs defaults', () => {
  expect(requestOf(ASKED, 'dense')).toEqual({
    verb: 'search',
    collection: 'books',
    body: { query: 'a whale', mode: 'dense', limit: 10, highlight: true, explain: true },
  });
  const filter = { field: 'year', gte: 1900 };
  expect(
    requestOf({ ...ASKED, rerank: 'late', fusion: 'rrf', group: true, filter }, 'hybrid').body,
  ).toMatchObject({ fusion: { method: 'rrf' }, rerank: true, group: true, filter });
});

test('examples become a recommendation, and an image becomes a dense search', () => {
  const asked = { ...ASKED, query: '', positive: [{ id: 'moby-dick' }], negative: [{ text: 'the law' }] };
  expect(isWhole(asked)).toBe(true);
  expect(requestOf(asked, 'hybrid')).toEqual({
    verb: 'recommend',
    collection: 'books',
    body: { positive: [{ id: 'moby-dick' }], negative: [{ text: 'the law' }], limit: 10 },
  });
  expect(requestOf({ ...ASKED, image: 'data:image/png;base64,AA' }, 'hybrid').body).toEqual({
    image: 'data:image/png;base64,AA',
    mode: 'dense',
    limit: 10,
  });
  expect(isWhole({ ...ASKED, query: '  ' })).toBe(false);
});

test('a collection without sparse vectors can only be searched by meaning', () => {
  const profile = (sparse: object) => ({ profile: { sparse } }) as Parameters<typeof modesOf>[0];
  expect(modesOf(profile({}))).toEqual(['dense']);
  expect(modesOf(profile({ bm25: {} }))).toEqual(['hybrid', 'dense', 'sparse']);
});

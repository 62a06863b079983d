import fc from 'fast-check';
import { expect, test } from 'vitest';
import { explainMatch } from './explanation.ts';
import { bestOfEach } from './groups.ts';
import { highlighter } from './highlights.ts';
import { ANALYSIS_VERSION } from '@embedmill/jobs';
import { analyzerOf } from '@embedmill/sparse-weighting';

const english = analyzerOf('english', ANALYSIS_VERSION);

const vector = (weights: Record<number, number>) => ({
  indices: Uint32Array.from(Object.keys(weights), Number),
  values: Float32Array.from(Object.values(weights)),
});

test('a match is explained by the terms that both have, the weightiest first', () => {
  const query = vector({ 2: 1, 5: 2, 9: 1 });
  const document = vector({ 1: 3, 5: 0.5, 9: 2, 11: 1 });
  expect(explainMatch(query, Float32Array.of(1, 3, 0.5), document)).toEqual([
    { term: 5, query: 6, document: 0.5, share: 0.75 },
    { term: 9, query: 0.5, document: 2, share: 0.25 },
  ]);
  expect(explainMatch(query, Float32Array.of(1, 1, 1), vector({ 7: 1 }))).toEqual([]);
});

test('shares add up to 1, whatever matches', () => {
  const weights = fc.dictionary(
    fc.nat({ max: 30 }).map(String),
    fc.float({ min: Math.fround(0.1), max: 5, noNaN: true }),
  );
  fc.assert(
    fc.property(weights, weights, (a, b) => {
      const [query, document] = [vector(a), vector(b)];
      const shares = explainMatch(
        query,
        query.values.map(() => 1),
        document,
      ).map(({ share }) => share);
      const shared = Object.keys(a).filter((term) => term in b).length;
      expect(shares).toHaveLength(shared);
      if (shared > 0) expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
    }),
  );
});

test('words are highlighted by their stems, neighbours as one', () => {
  const text = 'The foxes were Running; a brown fox ran.';
  const marked = highlighter(['running fox', 'brown'], english)(text);
  expect(marked.map(({ start, end }) => text.slice(start, end))).toEqual(['foxes', 'Running', 'brown fox']);
  expect(highlighter(['the'], english)(text)).toEqual([]);
});

test('of each group the first is kept', () => {
  expect(bestOfEach(['a1', 'b1', 'a2', 'c1', 'b2'], (item) => item[0]!)).toEqual(['a1', 'b1', 'c1']);
});

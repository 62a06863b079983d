import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { averageLengthOf } from './average-length.ts';
import { bm25Document, bm25Query } from './bm25.ts';
import { analyzerOf } from './analysis.ts';
import { termId } from './term-id.ts';

const repo = fileURLToPath(new URL('../../..', import.meta.url));
const shared = process.env['EMBEDMILL_SHARED'] ?? join(repo, '../shared');
const golden = [join(shared, 'golden/bm25.json')].find((path) => existsSync(path));

interface Golden {
  avgdl: number;
  docs: { text: string; terms: string[] }[];
  df: Record<string, number>;
  queries: { text: string; terms: string[]; scores: Record<string, number> }[];
}

const USUAL = { k1: 1.2, b: 0.75 };
const english = analyzerOf('english', 2);
const termsOf = (text: string, analyzer = english): string[] =>
  [...analyzer.terms(text)].flatMap(({ term }) => term ?? []);

describe.skipIf(golden === undefined)('the golden collection (skipped without EMBEDMILL_SHARED)', () => {
  const { avgdl, docs, df, queries } =
    golden === undefined
      ? ({ avgdl: 0, docs: [], df: {}, queries: [] } as Golden)
      : (JSON.parse(readFileSync(golden, 'utf8')) as Golden);

  test('texts have the same terms', () => {
    for (const { text, terms } of [...docs, ...queries]) {
      expect(termsOf(text)).toEqual(terms);
      expect(termsOf(text, analyzerOf('english', 1))).toEqual(terms);
    }
  });

  test('the average length is that of the golden values', () => {
    const texts = docs.map(({ text }) => text);
    expect(averageLengthOf(texts, english, undefined)).toBeCloseTo(avgdl, 10);
  });

  test('scores are the same, with idf as stores add it', () => {
    const vectors = docs.map(({ text }) => bm25Document(text, english, USUAL, avgdl));
    const idf = new Map(
      Object.entries(df).map(([term, n]) => [
        termId(term),
        Math.log(1 + (docs.length - n + 0.5) / (n + 0.5)),
      ]),
    );
    for (const { text, scores } of queries) {
      const query = bm25Query(text, english);
      for (const [n, { indices, values }] of vectors.entries()) {
        let score = 0;
        for (const [at, id] of query.indices.entries()) {
          const place = indices.indexOf(id);
          if (place !== -1) score += query.values[at]! * (idf.get(id) ?? 0) * values[place]!;
        }
        expect(score, `${text} in ${docs[n]!.text}`).toBeCloseTo(scores[n] ?? 0, 4);
      }
    }
  });
});

describe('BM25', () => {
  test('a term counts the more the more often it comes, but never more than k1 + 1', () => {
    const weight = (text: string) => bm25Document(text, english, { k1: 1.2, b: 0 }, 5).values[0]!;
    const weights = [1, 2, 5, 1000].map((count) => weight('fox '.repeat(count)));
    expect(weights).toEqual(weights.toSorted((a, b) => a - b));
    expect(weights.at(-1)).toBeLessThanOrEqual(2.2);
    expect(weights[0]).toBeCloseTo(1, 6);
  });

  test('long texts are held back by b', () => {
    const weight = (text: string, b: number) => {
      const { indices, values } = bm25Document(text, english, { k1: 1.2, b }, 4);
      return values[indices.indexOf(termId('fox'))]!;
    };
    const [short, long] = ['a fox', 'a fox and many words that say nothing of interest here'];
    expect(weight(long, 0.75)).toBeLessThan(weight(short, 0.75));
    expect(weight(long, 0)).toBe(weight(short, 0));
  });

  test('a query has its terms as often as they come', () => {
    const { indices, values } = bm25Query('the fox, foxes and dogs', english);
    expect(new Map([...indices].map((id, n) => [id, values[n]]))).toEqual(
      new Map([
        [termId('fox'), 2],
        [termId('dog'), 1],
      ]),
    );
  });

  test('a text of stop words alone, or of nothing, has no terms', () => {
    for (const text of ['', '  ', 'to be or not to be', '…—!']) {
      expect(bm25Document(text, english, USUAL, 5).indices).toHaveLength(0);
      expect(bm25Query(text, english).indices).toHaveLength(0);
    }
  });

  test('ids ascend, each comes once, and weights are finite and above 0, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        fc.double({ min: 0.5, max: 500, noNaN: true }),
        (text, average) => {
          const { indices, values } = bm25Document(text, english, USUAL, average);
          expect(values).toHaveLength(indices.length);
          for (let n = 1; n < indices.length; n += 1) expect(indices[n]!).toBeGreaterThan(indices[n - 1]!);
          for (const value of values) expect(value > 0 && value <= 2.2001).toBe(true);
        },
      ),
    );
  });
});

describe('the average length', () => {
  test('of texts longer than a chunk is that of their chunks', () => {
    const long = 'word '.repeat(1000);
    const average = averageLengthOf([long], english, 130);
    expect(average).toBe(100);
    expect(averageLengthOf([long], english, undefined)).toBe(1000);
  });

  test('of texts without a term is not known', () => {
    expect(averageLengthOf(['the', ''], english, 130)).toBeUndefined();
  });
});

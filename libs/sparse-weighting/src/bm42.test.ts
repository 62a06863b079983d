import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { analyzerOf } from './analysis.ts';
import { bm42Document, bm42Query } from './bm42.ts';
import { termId } from './term-id.ts';

const english = analyzerOf('english', 2);
const repo = fileURLToPath(new URL('../../..', import.meta.url));
const shared = process.env['EMBEDMILL_SHARED'] ?? join(repo, '../shared');
const golden = [join(shared, 'golden/bm42.json')].find((path) => existsSync(path));

interface Golden {
  texts: {
    text: string;
    tokens: string[];
    cls_attention_mean: number[];
    doc: { stem: string; id: number; value: number }[];
    query_ids: number[];
  }[];
}

/** The positions of WordPiece's tokens, found by searching for them in order; special tokens have none. */
function rangesOf(text: string, tokens: string[]) {
  const bare = text.toLowerCase().normalize('NFD').replaceAll(/\p{M}/gu, '');
  let at = 0;
  return tokens.flatMap((token) => {
    const piece = token.replace(/^##/, '');
    const start = /^\[.*\]$/.test(token) ? -1 : bare.indexOf(piece, at);
    if (start === -1) return [-1, -1];
    at = start + piece.length;
    return [start, at];
  });
}

describe.skipIf(golden === undefined)(
  'BM42 beside the golden values (skipped without EMBEDMILL_SHARED)',
  () => {
    const { texts } =
      golden === undefined ? { texts: [] } : (JSON.parse(readFileSync(golden, 'utf8')) as Golden);

    // Their words are the tokenizer's: without accents, and with all unknown ones as one term. Ours are the text's.
    test.each(texts.filter(({ tokens }) => !tokens.includes('[UNK]')))(
      '$text',
      ({ text, tokens, cls_attention_mean: attention, doc, query_ids }) => {
        const { indices, values } = bm42Document(
          text,
          rangesOf(text, tokens),
          Float32Array.from(attention),
          english,
        );
        const expected = doc.toSorted((a, b) => a.id - b.id);
        expect([...indices]).toEqual(expected.map(({ id }) => id));
        for (const [n, { value }] of expected.entries()) expect(values[n]).toBeCloseTo(value, 4);
        expect([...bm42Query(text, english).indices]).toEqual(query_ids.toSorted((a, b) => a - b));
      },
    );
  },
);

describe('BM42', () => {
  test('a word’s weight is that of all its tokens, and equal words add up', () => {
    const ranges = [-1, -1, 0, 3, 3, 5, 6, 9, 10, 13, -1, -1];
    const attention = Float32Array.of(0.5, 0.1, 0.2, 0.05, 0.1, 0.05);
    const { indices, values } = bm42Document('foxes dog dog', ranges, attention, analyzerOf('none', 2));
    const weightOf = (term: string) => values[indices.indexOf(termId(term))];
    expect(weightOf('foxes')).toBeCloseTo(Math.sqrt(Math.log1p(0.3)), 6);
    expect(weightOf('dog')).toBeCloseTo(Math.sqrt(Math.log1p(0.15)), 6);
  });

  test('a word that got no attention, as one behind what the model reads, has no weight', () => {
    const ranges = [-1, -1, 0, 3, -1, -1];
    const { indices } = bm42Document(
      'fox dog',
      ranges,
      Float32Array.of(0.5, 0.3, 0.2),
      analyzerOf('none', 2),
    );
    expect([...indices]).toEqual([termId('fox')]);
  });
});

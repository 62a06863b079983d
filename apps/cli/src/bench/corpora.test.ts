import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Tokenizer } from '@embedmill/tokenization';
import { CorpusMaker, documentLines, MEAN_TOKENS, type CorpusName } from './corpora.ts';

const path = join(import.meta.dirname, '../../../../models/all-MiniLM-L6-v2/tokenizer.json');
let tokenizer: Tokenizer;
let maker: CorpusMaker;
beforeAll(async () => {
  tokenizer = await Tokenizer.load({ path, maxTokens: 10_000 });
  maker = await CorpusMaker.load(tokenizer);
});

async function lengthsOf(corpus: CorpusName, documents: number): Promise<number[]> {
  const encoded = await tokenizer.encode(maker.texts(corpus, documents), 'document');
  return encoded.map(({ tokens }) => tokens).sort((a, b) => a - b);
}

describe('corpora', () => {
  it('have the stated lengths, by the real tokenizer', async () => {
    const short = await lengthsOf('short', 3000);
    expect(short[0]).toBe(5);
    expect(short.at(-1)).toBe(19);
    const mixed = await lengthsOf('mixed', 3000);
    expect(mixed[1500]).toBeGreaterThan(38);
    expect(mixed[1500]).toBeLessThan(44);
    expect(mixed[2700]).toBeGreaterThan(175);
    expect(mixed[2700]).toBeLessThan(210);
    expect(mixed.at(-1)).toBe(256);
    expect(new Set(await lengthsOf('long', 100))).toEqual(new Set([256]));
    for (const [corpus, lengths] of [
      ['short', short],
      ['mixed', mixed],
    ] as const) {
      const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
      expect(Math.abs(mean / MEAN_TOKENS[corpus] - 1)).toBeLessThan(0.05);
    }
  });

  it('are the same every time, and have no text twice', () => {
    const texts = maker.texts('short', 5000);
    expect(texts).toEqual(maker.texts('short', 5000));
    expect(new Set(texts).size).toBe(5000);
    expect(maker.texts('short', 100)).toEqual(texts.slice(0, 100));
  });

  it('are documents that can be submitted', () => {
    expect(documentLines(['a "b"', 'c'])).toBe('{"id":"d0","text":"a \\"b\\""}\n{"id":"d1","text":"c"}\n');
  });
});

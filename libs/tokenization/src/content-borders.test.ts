import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunkDocuments } from './chunker.ts';
import { cutChunks } from './cut.ts';
import type { CutLimits } from './cutting.ts';
import { editsOf, randomNumbers, sentence, tokensOf, words, type Random } from './fake-texts.ts';
import { Tokenizer } from './tokenizer.ts';

const BUNDLED = resolve(import.meta.dirname, '../../../models/all-MiniLM-L6-v2/tokenizer.json');

const chunksOf = (text: string, limits: CutLimits) =>
  Array.from(cutChunks(text, tokensOf(text), limits), ({ start, end }) => text.slice(start, end));

/** The parts of a text, and how they are joined. */
const TEXTS: Record<string, { part: (random: Random) => string; join: string }> = {
  sentences: { part: sentence, join: ' ' },
  'sentences in lines that are wrapped': {
    part: (random) => sentence(random).replace(/ (\w+ \w+)$/, '\n$1'),
    join: '\n',
  },
  'sentences in paragraphs': {
    part: (random) => sentence(random) + (random(6) === 0 ? '\n\n' : ''),
    join: ' ',
  },
  'words without punctuation': { part: (random) => words(random, 12).join(' '), join: ' ' },
  'Chinese without spaces': {
    part: (random) =>
      `${Array.from({ length: 8 + random(20) }, () => String.fromCharCode(0x4e00 + random(3000))).join('')}。`,
    join: '',
  },
  'code in lines': {
    part: (random) => `  ${words(random, 2).join('.')}(${words(random, 3).join(', ')});`,
    join: '\n',
  },
  'sentences longer than a chunk': { part: (random) => `${words(random, 400).join(' ')}.`, join: ' ' },
};

/** The number of new chunks after an edit, sorted, for many edits at random places. */
function changesOf(
  parts: readonly string[],
  { part, join }: { part: (random: Random) => string; join: string },
  limits: CutLimits,
  edits: number,
  random: Random,
) {
  const before = new Set(chunksOf(parts.join(join), limits));
  return editsOf(parts, edits, random, part)
    .map((edited) => chunksOf(edited.join(join), limits).filter((chunk) => !before.has(chunk)).length)
    .toSorted((a, b) => a - b);
}
const share = (sorted: number[], part: number) => sorted[Math.ceil(part * sorted.length) - 1]!;

describe('an edit changes few chunks', () => {
  test.each(Object.entries(TEXTS))('of %s', (name, { part, join }) => {
    const random = randomNumbers(7);
    const isLong = name.includes('longer');
    const parts = Array.from({ length: isLong ? 60 : 600 }, () => part(random));
    for (const [limits, median, most] of [
      [{ capacity: 250, overlap: 0 }, 2, 4],
      [{ capacity: 250, overlap: 32 }, 2, 4],
      // With two or three sentences per chunk, there is little choice.
      [{ capacity: 60, overlap: 8 }, 3, 8],
    ] as const) {
      // A part longer than a chunk makes several chunks.
      const own = isLong ? Math.ceil(400 / (0.6 * limits.capacity)) : 0;
      const changed = changesOf(parts, { part, join }, limits, isLong ? 60 : 120, random);
      expect(share(changed, 0.5), JSON.stringify(limits)).toBeLessThanOrEqual(median + own);
      expect(share(changed, 0.95), JSON.stringify(limits)).toBeLessThanOrEqual(most + 2 * own);
    }
  });

  test('of a text of 10,000 sentences, with the bundled tokenizer and a profile of defaults', async () => {
    const tokenizer = await Tokenizer.load({ path: BUNDLED, maxTokens: 256 });
    const random = randomNumbers(11);
    const parts = Array.from({ length: 10_000 }, () => sentence(random));
    const chunked = async (text: string) => {
      const [document] = await chunkDocuments(tokenizer, [{ text }], { mode: 'tokens', overlap: 32 });
      return document!.chunks.map(({ ids }) => ids.join(' '));
    };
    const before = new Set(await chunked(parts.join(' ')));
    const changed: number[] = [];
    for (let n = 0; n < 30; n += 1) {
      const edited = [...parts];
      edited.splice(random(parts.length), n % 2, ...(n % 3 === 0 && n % 2 === 1 ? [] : [sentence(random)]));
      changed.push((await chunked(edited.join(' '))).filter((chunk) => !before.has(chunk)).length);
    }
    changed.sort((a, b) => a - b);
    expect(share(changed, 0.5)).toBeLessThanOrEqual(2);
    expect(share(changed, 0.95)).toBeLessThanOrEqual(4);
  }, 120_000);

  test('while with the other boundaries it moves all that follow', () => {
    const random = randomNumbers(3);
    const parts = Array.from({ length: 800 }, () => sentence(random));
    const limits = { capacity: 250, overlap: 32, boundary: 'sentence' as const };
    const changed = changesOf(parts, { part: sentence, join: ' ' }, limits, 60, random);
    expect(share(changed, 0.95)).toBeGreaterThan(12);
  });
});

describe('borders', () => {
  test('are those of the text, whatever stands before it, from the first that two texts share', () => {
    const random = randomNumbers(5);
    const tail = Array.from({ length: 300 }, () => sentence(random)).join(' ');
    const limits = { capacity: 100, overlap: 0 };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.nat(1_000_000), (count, seed) => {
        const own = randomNumbers(seed + 1);
        const head = Array.from({ length: count }, () => `${sentence(own)} `).join('');
        const [alone, behind] = [chunksOf(tail, limits), chunksOf(head + tail, limits)];
        expect(behind.slice(-alone.length + 40)).toEqual(alone.slice(40));
      }),
      { numRuns: 40 },
    );
  });

  test('are at ends of paragraphs, else of sentences, where there are any', () => {
    const random = randomNumbers(9);
    const sentences = Array.from({ length: 200 }, () => sentence(random));
    for (const chunk of chunksOf(sentences.join(' '), { capacity: 80, overlap: 0 }))
      expect(chunk).toMatch(/\.$/);
    const paragraphs = Array.from({ length: 120 }, () => `${sentence(random)} ${sentence(random)}`);
    const text = paragraphs.join('\n\n');
    const starts = new Set(paragraphs.map((paragraph) => paragraph.slice(0, 20)));
    for (const chunk of chunksOf(text, { capacity: 200, overlap: 0 }))
      expect(starts).toContain(chunk.slice(0, 20));
  });

  test('are at full stops of texts in small letters, too', () => {
    const random = randomNumbers(19);
    const text = Array.from({ length: 200 }, () => sentence(random).toLowerCase()).join(' ');
    for (const chunk of chunksOf(text, { capacity: 80, overlap: 0 })) expect(chunk).toMatch(/\.$/);
  });

  test('end no sentence at an abbreviation that a small letter follows', () => {
    const random = randomNumbers(13);
    const text = Array.from(
      { length: 60 },
      () => `The ${words(random, 4).join(' ')}, e.g. small ${words(random, 4).join(' ')}.`,
    ).join(' ');
    for (const chunk of chunksOf(text, { capacity: 60, overlap: 0 })) expect(chunk).toMatch(/[a-z]{2}\.$/);
  });

  test('leave chunks about seven tenths full', () => {
    const random = randomNumbers(17);
    const text = Array.from({ length: 2000 }, () => sentence(random)).join(' ');
    const sizes = Array.from(
      cutChunks(text, tokensOf(text), { capacity: 250, overlap: 0 }),
      ({ from, to }) => to - from,
    );
    const fill = sizes.reduce((sum, size) => sum + size, 0) / sizes.length / 250;
    expect(fill).toBeGreaterThan(0.66);
    expect(fill).toBeLessThan(0.8);
  });
});

import { resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Chunking, DocumentStructure } from '@embedmill/jobs';
import { chunkStructured } from './structured-chunker.ts';
import { Tokenizer } from './tokenizer.ts';

const BUNDLED = resolve(import.meta.dirname, '../../../models/all-MiniLM-L6-v2/tokenizer.json');
const TOKENS: Chunking = { mode: 'tokens', overlap: 0, size: 64 };

let minilm: Tokenizer;
beforeAll(async () => {
  minilm = await Tokenizer.load({ path: BUNDLED, maxTokens: 256 });
});

async function chunked(
  text: string,
  structure: DocumentStructure | undefined,
  chunking = TOKENS,
  title?: string,
) {
  const [document] = await chunkStructured(minilm, [{ text, title, structure }], chunking);
  const chunks = document?.chunks ?? [];
  return {
    ...document,
    chunks,
    texts: chunks.map(({ start, end }) => text.slice(start, end)),
    headings: chunks.map(({ headings }) => headings?.join(' > ')),
  };
}

const idsOf = async (text: string) => [...((await minilm.encode([text], 'document'))[0]?.ids ?? [])];

/** A text with sections, each with this many sentences. */
function sectioned(...sections: [headings: string[], sentences: number][]) {
  let text = '';
  const places: { start: number; headings: string[] }[] = [];
  for (const [headings, sentences] of sections) {
    places.push({ start: text.length, headings });
    const words = `${headings.at(-1)} is what these words are about, and they say so. `.repeat(sentences);
    text += `${headings.at(-1)}\n\n${words.trim()}\n\n`;
  }
  return { text, structure: { sections: places } };
}

test('no chunk lies in two sections, and each has its headings in front of what the model reads', async () => {
  const { text, structure } = sectioned([['Guide'], 1], [['Guide', 'Install'], 8], [['Guide', 'Use'], 1]);
  const { chunks, texts, headings, truncated } = await chunked(text, structure, TOKENS, 'Manual');
  expect(truncated).toBe(false);
  expect(headings[0]).toBe('Guide');
  expect(headings.at(-1)).toBe('Guide > Use');
  expect(new Set(headings.slice(1, -1))).toEqual(new Set(['Guide > Install']));
  expect(texts.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
  for (const [n, { ids }] of chunks.entries()) {
    expect(ids.length).toBeLessThanOrEqual(64);
    expect([...ids]).toEqual(await idsOf(`Manual > ${headings[n]} ${texts[n]}`));
  }
});

test('a title that is the first heading as well is said once; without headings the title stands alone', async () => {
  const { text, structure } = sectioned([['Guide', 'Install'], 1]);
  const spoken = await chunked(text, structure, TOKENS, 'Guide');
  expect([...spoken.chunks[0]!.ids]).toEqual(await idsOf(`Guide > Install ${text.trim()}`));
  const apart = await chunked(text, structure, { ...TOKENS, headings: false }, 'Guide');
  expect([...apart.chunks[0]!.ids]).toEqual(await idsOf(`Guide ${text.trim()}`));
  expect(apart.headings).toEqual(['Guide > Install']);
});

test('an edit in one section changes no chunk of another', async () => {
  const sections: [string[], number][] = [
    [['One'], 9],
    [['Two'], 9],
    [['Three'], 9],
  ];
  const before = sectioned(...sections);
  const text = before.text.replace('One is', 'One, with more words than before, is');
  const shift = text.length - before.text.length;
  const structure = {
    sections: before.structure.sections.map(({ start, headings }, n) => ({
      start: n === 0 ? start : start + shift,
      headings,
    })),
  };
  const of = (all: Awaited<ReturnType<typeof chunked>>, heading: string) =>
    all.texts.filter((_, n) => all.headings[n] === heading);
  const [old, now] = [await chunked(before.text, before.structure), await chunked(text, structure)];
  for (const heading of ['Two', 'Three']) expect(of(now, heading)).toEqual(of(old, heading));
});

test('a heading with next to nothing below goes with the section that follows', async () => {
  const { text, structure } = sectioned([['Guide'], 0], [['Guide', 'Install'], 2]);
  const { texts, headings } = await chunked(text, structure);
  expect(headings).toEqual(['Guide > Install']);
  expect(texts[0]).toMatch(/^Guide\n/);
});

test('what stands before the first heading is under none', async () => {
  const { text, structure } = sectioned([['Guide'], 2]);
  const shifted = structure.sections.map(({ start, headings }) => ({ start: start + 40, headings }));
  const { headings } = await chunked(`${'Words before all. '.repeat(2)}\n\n\n\n${text}`, {
    sections: shifted,
  });
  expect(headings).toEqual([undefined, 'Guide']);
});

test('a chunk that ends in a table ends with a row of it', async () => {
  const rows = Array.from({ length: 40 }, (_, n) => `row ${n}. It is | the ${n}th. It has | cells`);
  const text = rows.join('\n');
  const { texts } = await chunked(text, { blocks: [{ start: 0, end: text.length, kind: 'table' }] });
  expect(texts.length).toBeGreaterThan(5);
  for (const one of texts) expect(one).toMatch(/^row \d+\. It[^]*\| cells$/);
});

test('without structure, chunks are what they were', async () => {
  const { text } = sectioned([['One'], 9]);
  const plain = await chunked(text, undefined);
  expect(plain.headings).toEqual(plain.texts.map(() => undefined));
  expect(await chunked(text, {})).toEqual(plain);
});

import fc from 'fast-check';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { byteLevelAlphabet } from 'tokenizers';
import { beforeAll, expect, test } from 'vitest';
import type { Chunking } from '@embedmill/jobs';
import { chunkDocuments, type ChunkedDocument } from './chunker.ts';
import { Tokenizer } from './tokenizer.ts';

const BUNDLED = resolve(import.meta.dirname, '../../../models/all-MiniLM-L6-v2/tokenizer.json');
const tokens = (changes: Partial<Extract<Chunking, { mode: 'tokens' }>> = {}): Chunking => ({
  mode: 'tokens',
  overlap: 0,
  boundary: 'sentence',
  ...changes,
});
const whole: Chunking = { mode: 'document' };

let minilm: Tokenizer;
beforeAll(async () => {
  minilm = await Tokenizer.load({ path: BUNDLED, maxTokens: 256 });
});

async function chunked(text: string, chunking: Chunking, title?: string): Promise<ChunkedDocument> {
  const [document] = await chunkDocuments(minilm, [{ text, title }], chunking);
  if (document === undefined) throw new Error('nothing came back');
  return document;
}
const idsOf = async (text: string) => [...((await minilm.encode([text], 'document'))[0]?.ids ?? [])];

test('a short text is one chunk, with the ids of the text itself', async () => {
  const text = '  A quiet 日本 morning. 😀 ';
  for (const chunking of [tokens(), whole]) {
    const document = await chunked(text, chunking);
    expect(document).toMatchObject({ truncated: false, chunks: [{ start: 2, end: text.length - 1 }] });
    expect([...(document.chunks[0]?.ids ?? [])]).toEqual(await idsOf(text));
    expect(document.tokens).toBe(document.chunks[0]?.ids.length);
    expect(document).not.toHaveProperty('message');
  }
});

test('chunks of a long text have the ids of their own stretch, and together all of its words', async () => {
  const sentence = 'The mill by the river ground wheat for forty years before anyone measured it. ';
  const text = sentence.repeat(60);
  const { chunks } = await chunked(text, tokens());
  expect(chunks.length).toBeGreaterThan(3);
  for (const { ids, start, end } of chunks) {
    expect(ids.length).toBeLessThanOrEqual(256);
    expect([...ids]).toEqual(await idsOf(text.slice(start, end)));
    expect(text.slice(start, end)).toMatch(/^The mill.*it\.$/);
  }
  expect(chunks.map(({ start, end }) => text.slice(start, end)).join(' ')).toBe(text.trim());
});

const part = fc.constantFrom(
  ...[
    'plain words ',
    'naïve café ',
    'e\u0301te\u0301 ',
    '😀',
    '👩‍👩‍👧 ',
    '𝒳𝒴 ',
    '日本語の文章。',
    '\u200b',
    '\u0001',
    '\ufeff',
    '\n\n',
  ],
  ...[
    '[SEP] ',
    'x'.repeat(90),
    '3.14, ',
    'ΑΣ ',
    'ไทย',
    '\u00a0',
    'internationalization ',
    'Straße? ',
    '  ',
    '- ',
  ],
);

test('whatever the text, title and chunking: nothing is lost and no chunk is too long', async () => {
  const document = fc.record({
    text: fc.array(part, { minLength: 1, maxLength: 60 }).map((parts) => parts.join('')),
    title: fc.option(
      fc.array(part, { maxLength: 20 }).map((parts) => parts.join('')),
      { nil: undefined },
    ),
  });
  const chunking = fc.record({
    mode: fc.constant('tokens' as const),
    size: fc.integer({ min: 16, max: 64 }),
    overlap: fc.nat(64),
    boundary: fc.constantFrom('content' as const, 'paragraph' as const, 'sentence' as const, 'word' as const),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(document, { minLength: 1, maxLength: 4 }),
      chunking,
      async (documents, given) => {
        const results = await chunkDocuments(minilm, documents, given);
        expect(results).toHaveLength(documents.length);
        for (const [n, { chunks }] of results.entries()) {
          const text = documents[n]?.text ?? '';
          const covered = new Uint8Array(text.length);
          for (const { ids, start, end } of chunks) {
            expect(ids.length).toBeLessThanOrEqual(given.size);
            expect([ids[0], ids.at(-1)]).toEqual([101, 102]);
            expect(text.slice(start, end).isWellFormed()).toBe(true);
            covered.fill(1, start, end);
          }
          for (const { index } of text.matchAll(/\S/g)) expect(covered[index]).toBe(1);
        }
      },
    ),
    { numRuns: 300 },
  );
});

const frame = {
  type: 'RobertaProcessing',
  cls: ['<s>', 0],
  sep: ['</s>', 1],
  trim_offsets: true,
  add_prefix_space: false,
};
const letters = [...'▁abcdefghijklmnopqrstuvwxyzTM.'].map((letter): [string, number] => [letter, -8]);
const OTHER_KINDS = {
  'of bytes, as RoBERTa’s': {
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: frame,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(['<s>', '</s>', ...byteLevelAlphabet()].map((one, id) => [one, id])),
      merges: [],
    },
  },
  'of SentencePiece’s kind': {
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    post_processor: frame,
    model: {
      type: 'Unigram',
      unk_id: 2,
      vocab: [['<s>', 0], ['</s>', 0], ['<unk>', -20], ['▁the', -2], ['▁mill', -2], ['in', -3], ...letters],
    },
  },
};

test.each(Object.entries(OTHER_KINDS))('a tokenizer %s loses nothing either', async (_kind, parts) => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-chunker-'));
  try {
    const path = join(folder, 'tokenizer.json');
    const empty = { truncation: null, padding: null, added_tokens: [], normalizer: null, decoder: null };
    await writeFile(path, JSON.stringify({ version: '1.0', ...empty, ...parts }));
    const tokenizer = await Tokenizer.load({ path, maxTokens: 40 });
    expect([tokenizer.start, tokenizer.end]).toEqual([[0], [1]]);
    const text = 'The mill grinds in the mill. 😀 日本語 \n\n  The mill. '.repeat(20);
    const [document] = await chunkDocuments(tokenizer, [{ text }], tokens());
    const unlimited = await Tokenizer.load({ path, maxTokens: 100_000 });
    const [all] = await unlimited.encode([text], 'document');
    const covered = new Uint8Array(text.length);
    for (const { ids, start, end } of document?.chunks ?? []) {
      expect(ids.length).toBeLessThanOrEqual(40);
      expect(text.slice(start, end).isWellFormed()).toBe(true);
      covered.fill(1, start, end);
    }
    for (const { index } of text.matchAll(/\S/g)) expect(covered[index]).toBe(1);
    const own = document?.chunks.flatMap(({ ids }) => [...ids.slice(1, -1)]);
    expect([0, ...(own ?? []), 1]).toEqual([...(all?.ids ?? [])]);
    const [titled] = await chunkDocuments(unlimited, [{ text: 'mill', title: 'The' }], tokens());
    const [joined] = await unlimited.encode(['The mill'], 'document');
    expect(titled?.chunks[0]?.ids).toEqual(joined?.ids);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('offsets count UTF-16 units, past emoji and combining marks', async () => {
  const lead = '😀 e\u0301 𝒳 日本 ';
  const text = `${lead.repeat(40)}needle`;
  const { chunks } = await chunked(text, tokens({ size: 32, boundary: 'word' }));
  expect(chunks.length).toBeGreaterThan(5);
  expect(text.slice(chunks.at(-1)?.start, chunks.at(-1)?.end)).toMatch(/needle$/);
  for (const { ids, start, end } of chunks) expect([...ids]).toEqual(await idsOf(text.slice(start, end)));
});

test('the title stands in front of every chunk, behind the prefix', async () => {
  const e5 = await Tokenizer.load({ path: BUNDLED, maxTokens: 64, documentPrefix: 'passage: ' });
  const text = 'Some words about nothing in particular. '.repeat(30);
  const [document] = await chunkDocuments(e5, [{ text, title: 'On Mills' }], tokens());
  expect(document?.chunks.length).toBeGreaterThan(2);
  for (const { ids, start, end } of document?.chunks ?? []) {
    expect([...ids]).toEqual(await idsOf(`passage: On Mills ${text.slice(start, end)}`));
  }
  const [short] = await chunkDocuments(e5, [{ text: 'Short.' }], tokens());
  const [encoded] = await e5.encode(['Short.'], 'document');
  expect(short?.chunks[0]?.ids).toEqual(encoded?.ids);
});

test('a title longer than 64 tokens, or half a chunk, is cut and reported', async () => {
  const document = await chunked('The text.', tokens(), 'word '.repeat(80));
  expect(document.chunks[0]?.ids).toHaveLength(1 + 64 + 3 + 1);
  expect(document).toMatchObject({ truncated: true, tokens: 1 + 80 + 3 + 1 });
  expect(document.message).toContain('16 tokens');
  const small = await chunked('The text. '.repeat(20), tokens({ size: 16 }), 'word '.repeat(20));
  expect(small.chunks.every(({ ids }) => ids.length <= 16)).toBe(true);
});

test('mode document keeps one chunk, and says what did not fit', async () => {
  const text = 'wheat '.repeat(300);
  const document = await chunked(text, whole);
  expect(document.chunks).toHaveLength(1);
  expect(document.chunks[0]).toMatchObject({ start: 0, end: 254 * 6 - 1 });
  expect([...(document.chunks[0]?.ids ?? [])]).toEqual(await idsOf(text));
  expect(document).toMatchObject({ tokens: 302, truncated: true });
  expect(document.message).toContain(`character ${254 * 6 - 1}`);
});

test('a text that gives no token of its own is one chunk all the same', async () => {
  for (const chunking of [tokens(), whole]) {
    const document = await chunked('\u0001\u0002', chunking);
    expect(document).toMatchObject({ truncated: false, chunks: [{ start: 0, end: 2 }] });
    expect([...(document.chunks[0]?.ids ?? [])]).toEqual([101, 102]);
  }
});

test('a size that leaves no room beside the prefix is refused', async () => {
  const wordy = await Tokenizer.load({ path: BUNDLED, maxTokens: 256, documentPrefix: 'a '.repeat(20) });
  await expect(chunkDocuments(wordy, [{ text: 'x' }], tokens({ size: 16 }))).rejects.toMatchObject({
    code: 'invalid_request',
  });
});

test('5 MB go through without holding up the event loop, white space or none', async () => {
  const prose = 'The mill by the river ground wheat. '.repeat(140_000);
  const blob = 'abcdefghij'.repeat(500_000);
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  try {
    const documents = await chunkDocuments(
      minilm,
      [{ text: prose }, { text: blob }],
      tokens({ overlap: 32 }),
    );
    expect(documents[0]?.chunks.length).toBeGreaterThan(4_000);
    expect(documents[1]?.chunks.at(-1)?.end).toBe(blob.length);
    expect(turns).toBeGreaterThan(20);
  } finally {
    clearInterval(timer);
  }
});

test.each([
  ['one word', 'y'],
  ['one syllable', '界'],
  ['marks on a letter', '\u0301'],
  ['ends of sentences', '. '],
  ['ends of paragraphs', '\n'],
  ['quotes', "'"],
  ['joined signs', '👩\u200d'],
])(
  'the time for a text of nothing but %s grows with its length, not with the square',
  async (_what, unit) => {
    const cpuMs = async (length: number): Promise<number> => {
      const text = `a${unit.repeat(length / unit.length)}`;
      const before = process.cpuUsage();
      await chunked(text, tokens({ size: 16, overlap: 7 }));
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    await cpuMs(10_000);
    const [short, long] = [await cpuMs(60_000), await cpuMs(600_000)];
    // Ten times as long; quadratic time would be a hundred times as long.
    expect(long).toBeLessThan(40 * Math.max(short, 5));
  },
);

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { byteLevelAlphabet, Tokenizer as NativeTokenizer } from 'tokenizers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chunkDocuments } from './chunker.ts';
import { nativeEncoding, type PlainEncoding } from './encoding.ts';
import { LongWords } from './long-words.ts';
import { Tokenizer } from './tokenizer.ts';
import { wordRules, type TokenizerJson } from './word-rules.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const SHARED = resolve(ROOT, process.env['EMBEDMILL_SHARED'] ?? '../shared');
const BUNDLED = join(ROOT, 'models/all-MiniLM-L6-v2/tokenizer.json');
const UNIGRAM = join(SHARED, 'models/multilingual-e5-small/tokenizer.json');
const bundled = JSON.parse(readFileSync(BUNDLED, 'utf8')) as TokenizerJson & { added_tokens: object[] };

const added = (content: string, changes: object = {}) => ({
  id: 0,
  content,
  special: false,
  normalized: false,
  single_word: false,
  lstrip: false,
  rstrip: false,
  ...changes,
});
const alphabet = byteLevelAlphabet();
/** Byte-level BPE with some merges, which joins line ends to the punctuation before them, like OpenAI's models. */
const joiningLines = {
  version: '1.0',
  added_tokens: [{ ...added('<two words>'), id: 400 }],
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      {
        type: 'Split',
        pattern: { Regex: ' ?\\p{L}+| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\p{N}|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+' },
        behavior: 'Isolated',
        invert: false,
      },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  },
  model: {
    type: 'BPE',
    vocab: Object.fromEntries([...alphabet, '.Ċ', 'Ġa', 'ab'].map((token, n) => [token, n])),
    merges: [
      ['.', 'Ċ'],
      ['Ġ', 'a'],
      ['a', 'b'],
    ],
  },
};

const KINDS: [name: string, json: () => object, needs?: string][] = [
  ['WordPiece, as bundled', () => bundled],
  ['WordPiece that keeps case and accents', () => ({ ...bundled, normalizer: null })],
  [
    'WordPiece with added tokens',
    () => ({
      ...bundled,
      added_tokens: [
        ...bundled.added_tokens,
        added('mill,'),
        added('<m>', { lstrip: true, rstrip: true }),
        added('日本'),
      ],
    }),
  ],
  [
    'WordPiece with added tokens looked for when normalized',
    () => ({ ...bundled, added_tokens: [...bundled.added_tokens, added('k-k', { normalized: true })] }),
  ],
  ['BPE that joins line ends to punctuation', () => joiningLines],
  ['Unigram of multilingual-e5-small', () => JSON.parse(readFileSync(UNIGRAM, 'utf8')) as object, UNIGRAM],
];

/** Texts with everything that can occur at a cut: long words, no spaces, marks, controls, emoji, several scripts. */
const fragments = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('the', 'word', 'a', 'unaffable', 'naïve', 'cafe\u0301', '日本語', '中文字'),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(' ', '\n', '  ', '\r\n', '\t', '\u3000', '\u00a0', '\u0085', '\u200b'),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom('.', ', ', '。', '“', '’', '-', '[', ']', '[MASK]', '<mask>', '<m>'),
  },
  { weight: 2, arbitrary: fc.constantFrom('mill,', 'k-k', '<two words>', '≠', '\u037e', '½', 'ﬁ', '\u00ad') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '🚀',
      '👩‍🚀',
      '\u0301\u0302',
      '\u0000',
      '\u0007',
      '한국',
      'ひらがなを。',
      'カタカナ',
    ),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 130 }).map((count) => 'x'.repeat(count)) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
);
const texts = fc
  .array(fragments, { maxLength: 60 })
  .map((parts) => parts.join(''))
  .filter((text) => text.isWellFormed());

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-pieces-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function subjectOf(json: object) {
  const path = join(folder, `${randomUUID()}.json`);
  await writeFile(path, JSON.stringify(json));
  const native = NativeTokenizer.fromString(JSON.stringify(json));
  native.disableTruncation();
  native.disablePadding();
  const whole = async (text: string): Promise<number[]> =>
    (await native.encode(text, null, { addSpecialTokens: false })).getIds();
  const tokenizer = await Tokenizer.load({ path, maxTokens: 1_000_000 });
  const idsOf = async (parts: string[]): Promise<number[]> => {
    const ids: number[] = [];
    for await (const encoding of tokenizer.encodePlain(parts)) {
      for (const id of Array.from(encoding.ids())) ids.push(id);
    }
    return ids;
  };
  return { tokenizer, whole, idsOf };
}

describe.each(KINDS)('%s', (_name, json, needs) => {
  const isThere = needs === undefined || existsSync(needs);

  test.skipIf(!isThere)(
    `pieces are the text, and have its tokens${isThere ? '' : ' (skipped: no EMBEDMILL_SHARED)'}`,
    async () => {
      const { tokenizer, whole, idsOf } = await subjectOf(json());
      await fc.assert(
        fc.asyncProperty(texts, fc.integer({ min: 1, max: 60 }), async (text, limit) => {
          const pieces = tokenizer.piecesOf(text, limit);
          expect(pieces.map((piece) => piece.text).join('')).toBe(text);
          let start = 0;
          for (const piece of pieces) {
            expect(piece.start).toBe(start);
            start += piece.text.length;
          }
          expect(await idsOf(pieces.map((piece) => piece.text))).toEqual(await whole(text));
        }),
        { numRuns: 150 },
      );
    },
  );

  test.skipIf(!isThere)(
    'long texts have the tokens of the whole, whatever they are made of (skipped without EMBEDMILL_SHARED)',
    async () => {
      const { tokenizer, whole, idsOf } = await subjectOf(json());
      const random = (count: number, from: number, to: number) =>
        Array.from({ length: count }, (_, n) =>
          String.fromCodePoint(from + ((n * 7919 + ((n * n) % 613)) % (to - from))),
        ).join('');
      for (const text of [
        'a'.repeat(32_768),
        'a'.repeat(32_769),
        `${'b'.repeat(40_000)} and ${'c'.repeat(100_000)}`,
        random(70_000, 0x61, 0x7b),
        random(70_000, 0x4e00, 0x9000),
        random(70_000, 0x3041, 0x3097),
        random(70_000, 0xac00, 0xd7a4),
        '🚀'.repeat(40_000),
        'ひらがな。、'.repeat(12_000),
        'word, and a line.\n'.repeat(4_000),
        'https://example.org/a/b?c=d&'.repeat(2_500),
        `x${'\u0301'.repeat(40_000)}y`,
        '\u200b'.repeat(40_000),
        `“${'curly’'.repeat(20_000)}”[MASK]${'z'.repeat(33_000)}`,
        'ｆｕｌｌ'.repeat(10_000),
      ]) {
        const pieces = tokenizer.piecesOf(text).map((piece) => piece.text);
        expect(await idsOf(pieces), `${text.slice(0, 20)}…`).toEqual(await whole(text));
      }
    },
  );
});

describe('long words', () => {
  const kinds: object[] = [
    bundled,
    { ...bundled, normalizer: null },
    { ...bundled, added_tokens: [...bundled.added_tokens, added('mill,'), added('日本')] },
  ];
  test.each(kinds)('have the tokens and places that the native tokenizer gives them: %#', async (json) => {
    const native = NativeTokenizer.fromString(JSON.stringify(json));
    native.disableTruncation();
    native.disablePadding();
    const encodeNatively = async (words: string[]): Promise<PlainEncoding[]> =>
      (await native.encodeBatch(words, { addSpecialTokens: false })).map((encoding, n) =>
        nativeEncoding(encoding, words[n] ?? ''),
      );
    const long = new LongWords(wordRules(json as TokenizerJson)!, encodeNatively);
    await fc.assert(
      fc.asyncProperty(
        texts.map((text) => text.replaceAll(/[ \t\r\n]/g, '')),
        async (word) => {
          const [expected] = await encodeNatively([word]);
          const found = await long.encode(word);
          expect([...found.ids()]).toEqual(Array.from(expected!.ids()));
          const starts = (offsets: ArrayLike<number>) => Array.from(offsets).filter((_, n) => n % 2 === 0);
          expect(starts(found.offsets())).toEqual(starts(expected!.offsets()));
        },
      ),
      { numRuns: 150 },
    );
  });
});

test.skipIf(!existsSync(UNIGRAM))(
  'a text without a space that is too long for the tokenizer fails alone, and says where (skipped without EMBEDMILL_SHARED)',
  async () => {
    const tokenizer = await Tokenizer.load({ path: UNIGRAM, maxTokens: 512 });
    const documents = [{ text: 'one' }, { text: `two ${'a'.repeat(1_100_000)}` }, { text: 'three' }];
    const chunked = await chunkDocuments(tokenizer, documents, {
      mode: 'tokens',
      overlap: 0,
      boundary: 'sentence',
    });
    expect(chunked.map(({ error }) => error?.code)).toEqual([undefined, 'word_too_long', undefined]);
    expect(chunked[1]!.error!.message).toMatch(/from character 3 on/);
    expect(chunked[2]!.chunks).toHaveLength(1);
    await expect(tokenizer.encode([documents[1]!.text], 'query')).rejects.toMatchObject({
      code: 'word_too_long',
    });
  },
);

test('a text without a space and without end is read in little memory, where words are independent', async () => {
  const tokenizer = await Tokenizer.load({ path: BUNDLED, maxTokens: 256 });
  const before = process.memoryUsage().rss;
  const [encoded] = await tokenizer.encode(['a'.repeat(20_000_000)], 'document');
  expect([...encoded!.ids]).toEqual([101, 100, 102]);
  expect(process.memoryUsage().rss - before).toBeLessThan(300_000_000);
});

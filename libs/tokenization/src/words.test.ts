import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { describe, expect, test } from 'vitest';
import { nativeEncoding } from './encoding.ts';
import { expected, oddTexts, plain } from './odd-texts.fixture.ts';
import { WordCache } from './word-cache.ts';
import { wordRules, type TokenizerJson } from './word-rules.ts';
import { Words } from './words.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const BUNDLED = JSON.parse(
  readFileSync(`${ROOT}/models/all-MiniLM-L6-v2/tokenizer.json`, 'utf8'),
) as TokenizerJson & { normalizer: object; added_tokens: object[] };

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
const withAdded = (...tokens: object[]) => ({
  ...BUNDLED,
  added_tokens: [...BUNDLED.added_tokens, ...tokens],
});
const normalizing = (changes: object) => ({ ...BUNDLED, normalizer: { ...BUNDLED.normalizer, ...changes } });

/** BERT-like tokenizers, each with a different normalizer or other added tokens. */
const KINDS: Record<string, object> = {
  bundled: BUNDLED,
  'that normalizes nothing': { ...BUNDLED, normalizer: null },
  'that keeps case and accents': normalizing({ lowercase: false }),
  'that keeps accents only': normalizing({ strip_accents: false }),
  'that keeps control characters and Chinese words': normalizing({
    clean_text: false,
    handle_chinese_chars: false,
  }),
  'with added tokens that start like words': withAdded(added('mill'), added('日本'), added('😀😀')),
  'with added tokens looked for when normalized': withAdded(
    added('<Mill>', { normalized: true }),
    added('k-k', { normalized: true }),
  ),
  'framed as RoBERTa’s': {
    ...BUNDLED,
    post_processor: {
      type: 'RobertaProcessing',
      cls: ['[CLS]', 101],
      sep: ['[SEP]', 102],
      trim_offsets: true,
      add_prefix_space: false,
    },
  },
};

interface Subject {
  native: NativeTokenizer;
  /** `asked` receives each text passed to the native tokenizer. */
  words(cache?: WordCache, asked?: string[]): Words;
}

function subjectOf(json: object): Subject {
  const native = NativeTokenizer.fromString(JSON.stringify(json));
  native.disableTruncation();
  native.disablePadding();
  const words = (cache?: WordCache, asked: string[] = []) =>
    new Words(
      wordRules(json as TokenizerJson)!,
      async (texts) => {
        asked.push(...texts);
        const encodings = await native.encodeBatch(texts, { addSpecialTokens: false });
        return encodings.map((encoding, n) => nativeEncoding(encoding, texts[n]!));
      },
      cache,
    );
  return { native, words };
}

/** First cold, with a cache that constantly drops entries; then warm, with all words known. */
async function compare({ native, words }: Subject, warm: Words, texts: string[]) {
  const truth = await expected(native, texts);
  const forgetful = words(new WordCache(4));
  for (const subject of [forgetful, forgetful, warm, warm]) {
    expect((await subject.encode(texts)).map(plain)).toEqual(truth);
  }
}

describe.each(Object.entries(KINDS))('a tokenizer %s', (_name, json) => {
  const subject = subjectOf(json);

  test('encodes any text as the native one does, whatever is remembered', async () => {
    const warm = subject.words();
    await fc.assert(
      fc.asyncProperty(oddTexts, (given) => compare(subject, warm, given)),
      { numRuns: 400 },
    );
  });

  test('cuts at the right ones of all UTF-16 units', async () => {
    const inPlace = (_: unknown, unit: number) => {
      const character = String.fromCharCode(unit);
      return `a${character}b ,${character}\u0323 `;
    };
    const all = Array.from({ length: 0x10000 }, inPlace);
    const given = Array.from({ length: 256 }, (_, n) => all.slice(256 * n, 256 * (n + 1)).join(''));
    const words = subject.words();
    for (let from = 0; from < given.length; from += 32) {
      const some = given.slice(from, from + 32);
      expect((await words.encode(some)).map(plain)).toEqual(await expected(subject.native, some));
    }
  });
});

describe('the words of a text', () => {
  const subject = subjectOf(BUNDLED);

  test('are those of the native tokenizer for real text, cold, warm and half forgotten', async () => {
    const lines = readFileSync(`${ROOT}/apps/cli/demo/wordnet.ndjson`, 'utf8').trim().split('\n');
    const real = lines.map((line) => (JSON.parse(line) as { text: string }).text);
    const warm = subject.words();
    const forgetful = subject.words(new WordCache(512));
    for (let from = 0; from < real.length; from += 500) {
      const some = real.slice(from, from + 500);
      const truth = await expected(subject.native, some);
      for (const words of [warm, warm, forgetful]) {
        expect((await words.encode(some)).map(plain)).toEqual(truth);
      }
    }
  });

  test('are asked for once', async () => {
    const asked: string[] = [];
    const words = subject.words(undefined, asked);
    await words.encode(['The mill grinds, the MILL stands; the mill-wheel.', 'grinds']);
    expect(asked).toEqual(['The mill grinds , the MILL stands ; - wheel .']);
    await words.encode(['stands the mill', ' wheel\tgrinds,']);
    expect(asked).toHaveLength(1);
    await words.encode(['the miller']);
    expect(asked.slice(1)).toEqual(['miller']);
  });

  test('are whole where an added token may be in them', async () => {
    const asked: string[] = [];
    await subject.words(undefined, asked).encode(['say mill-[MASK],stone or-so', '[1]']);
    const [words] = asked.map((page) => page.split(' '));
    expect(words).toEqual(expect.arrayContaining(['say', 'mill-[MASK],stone', 'or', '-', 'so', '[1]']));
    expect(words).not.toContain('stone');
    expect(words).not.toContain('1');
  });

  test('are not remembered when they are long, and yet right', async () => {
    const asked: string[] = [];
    const words = subject.words(undefined, asked);
    const long = [
      'a'.repeat(40_000),
      'b'.repeat(4_000),
      `x${'é'.repeat(64)}`,
      `the mill ${'-é'.repeat(20_000)}`,
    ];
    const truth = await expected(subject.native, long);
    for (let run = 0; run < 2; run += 1) expect((await words.encode(long)).map(plain)).toEqual(truth);
    expect(asked.filter((text) => text.includes('b'.repeat(4_000)))).toHaveLength(2);
    expect(asked.filter((text) => text.includes('a'.repeat(4_000)))).toEqual([]);
  });

  test('come right when calls overlap, whatever each makes the cache forget', async () => {
    const words = subject.words(new WordCache(4));
    const given = Array.from({ length: 40 }, (_, n) => [`mill ${n} wheel ${n % 7}`, `the ${n % 3} mills`]);
    const encoded = await Promise.all(given.map((some) => words.encode(some)));
    for (const [n, some] of given.entries()) {
      expect(encoded[n]!.map(plain)).toEqual(await expected(subject.native, some));
    }
  });

  test('may be none, or no text at all', async () => {
    const words = subject.words();
    expect(await words.encode([])).toEqual([]);
    expect((await words.encode(['', ' \n', '\u200b'])).map(plain)).toEqual(
      Array.from({ length: 3 }, () => ({ length: 0, ids: [], offsets: [] })),
    );
  });

  test('that the native tokenizer refuses sink their own call only', async () => {
    const model = { ...BUNDLED.model, vocab: { mill: 0, '##s': 1 } };
    const words = subjectOf({ ...BUNDLED, model, added_tokens: [], post_processor: null }).words();
    const [known, refused] = [words.encode(['mill mills']), words.encode(['mill wheel'])];
    await expect(refused).rejects.toThrow(/UNK/);
    expect((await known).map(plain)).toEqual([{ length: 3, ids: [0, 0, 1], offsets: [0, 4, 5, 9, 9, 10] }]);
  });
});

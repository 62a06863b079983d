import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { describe, expect, test } from 'vitest';
import { nativeEncoding } from './encoding.ts';
import { expected, oddTexts, plain } from './odd-texts.fixture.ts';
import { SpacedWords, spacedWordRules } from './spaced-words.ts';
import { WordCache } from './word-cache.ts';
import type { TokenizerJson } from './word-rules.ts';

const MODELS = resolve(import.meta.dirname, '../../../models');
const GZIPPED = readFileSync(`${MODELS}/multilingual-e5-small-int8/tokenizer.json.gz`);
const BUNDLED = JSON.parse(gunzipSync(GZIPPED).toString()) as TokenizerJson & { added_tokens: object[] };

const METASPACE = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
/** XLM-R's bundled tokenizer, and equivalent files by others. */
const KINDS: Record<string, object> = {
  bundled: BUNDLED,
  'whose spaces are dropped': {
    ...BUNDLED,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, METASPACE] },
  },
};

/** Words that show the effect of the preceding words. */
const ODD_WORDS = [
  'a\u200b',
  '\u200b',
  '\ufeff',
  'a\u2028',
  '¨',
  'a¨',
  '\u0600',
  'a\u0600',
  '\u0d4e',
  'a▁',
  '▁',
  '▁b',
];
const isOneOfMany = (unit: string): boolean =>
  /[\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\ud800-\udfff\ue000-\uf8ff]/.test(unit);
const oddWords = fc
  .array(fc.constantFrom(...ODD_WORDS, ' ', ' ', '\t', '\u3000', 'a', '我', '\u0301', '\u200d'), {
    maxLength: 12,
  })
  .map((parts) => parts.join(''));

function subjectOf(json: object) {
  const native = NativeTokenizer.fromString(JSON.stringify(json));
  const words = (cache?: WordCache, asked: string[] = []) =>
    new SpacedWords(
      spacedWordRules(json as TokenizerJson)!,
      native.tokenToId('▁')!,
      async (texts) => {
        asked.push(...texts);
        const encodings = await native.encodeBatch(texts, { addSpecialTokens: false });
        return encodings.map((encoding, n) => nativeEncoding(encoding, texts[n]!));
      },
      cache,
    );
  return { native, words };
}

describe.each(Object.entries(KINDS))('a tokenizer %s', { timeout: 120_000 }, (_name, json) => {
  const { native, words } = subjectOf(json);

  test('encodes any text as the native one does, whatever is remembered', async () => {
    const warm = words();
    const compare = async (given: string[]) => {
      const can = given.filter((text) => warm.canEncode(text));
      const truth = await expected(native, can);
      const forgetful = words(new WordCache(4));
      for (const subject of [forgetful, forgetful, warm, warm]) {
        expect((await subject.encode(can)).map(plain)).toEqual(truth);
      }
    };
    await fc.assert(fc.asyncProperty(oddTexts, compare), { numRuns: 100, seed: 16 });
    await fc.assert(fc.asyncProperty(fc.array(oddWords, { maxLength: 4 }), compare), {
      numRuns: 400,
      seed: 16,
    });
  });

  test('cuts at the right ones of all UTF-16 units', async () => {
    const subject = words();
    const all = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit));
    const shapes = [
      (unit: string) => `a${unit}b c`,
      (unit: string) => `a ${unit}`,
      (unit: string) => `a ${unit} b`,
      (unit: string) => `a${unit} b`,
      (unit: string) => `${unit} `,
      (unit: string) => ` ${unit}\u0301b`,
    ];
    for (let from = 0; from < all.length; from += 4096) {
      // A sample of large groups of similar units: ideographs, syllables, and halves of surrogate pairs.
      const given = all.slice(from, from + 4096).filter((unit, n) => !isOneOfMany(unit) || n % 64 === 0);
      const some = given.flatMap((unit) => shapes.map((shape) => shape(unit)));
      const found = await subject.encode(some);
      const truth = await expected(native, some);
      const wrong = some.filter((_, n) => JSON.stringify(plain(found[n]!)) !== JSON.stringify(truth[n]));
      expect(wrong).toEqual([]);
    }
  });

  test('asks for each word once, and for no text as a whole but an odd one', async () => {
    const asked: string[] = [];
    const subject = words(undefined, asked);
    await subject.encode(['the mill\tgrinds, the mill stands', '我在 the mill ']);
    expect(asked).toEqual(['the', ' mill', '\tgrinds,', ' the', ' stands', '我在', ' ']);
    await subject.encode(['我在 the mill stands ']);
    expect(asked).toHaveLength(7);
    await subject.encode(['the \u200b mill']);
    expect(asked.slice(7)).toEqual([' \u200b', 'the \u200b mill']);
  });

  test('leaves texts with added tokens whole', () => {
    expect(['a <s> b', 'a<mask>', '<pad>'].map((text) => words().canEncode(text))).toEqual([
      false,
      false,
      false,
    ]);
    expect(words().canEncode('a < b > c')).toBe(true);
  });
});

test.each([
  ['of another model', { model: { type: 'BPE' } }],
  ['that keeps words together', { pre_tokenizer: { ...METASPACE, split: false } }],
  ['that marks no first word', { pre_tokenizer: { ...METASPACE, prepend_scheme: 'never' } }],
  ['that counts spaces', { normalizer: { type: 'NFKC' } }],
  ['that cuts otherwise', { pre_tokenizer: { type: 'Whitespace' } }],
  ['whose added tokens are looked for later', { added_tokens: [{ content: 'x', normalized: true }] }],
])('of a tokenizer %s words are not known to be independent', (_what, changes) => {
  expect(spacedWordRules({ ...BUNDLED, ...changes } as TokenizerJson)).toBeUndefined();
  expect(spacedWordRules(BUNDLED)).toBeDefined();
});

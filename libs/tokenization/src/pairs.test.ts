import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { Tokenizer } from './tokenizer.ts';

const BUNDLED = resolve(import.meta.dirname, '../../../models/all-MiniLM-L6-v2/tokenizer.json');

let folder: string;
let bert: Tokenizer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-pairs-'));
  bert = await Tokenizer.load({ path: BUNDLED, maxTokens: 256 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The same vocabulary with other special tokens around its texts. */
async function framed(postProcessor: unknown): Promise<string> {
  const json = JSON.parse(readFileSync(BUNDLED, 'utf8')) as Record<string, unknown>;
  const path = join(folder, 'framed.json');
  await writeFile(path, JSON.stringify({ ...json, post_processor: postProcessor }));
  return path;
}

test('a pair is framed as BERT’s are, and says where its second part begins', async () => {
  const [one, two] = await bert.encodePairs('Hello', ['world!', '']);
  expect(one).toEqual({
    ids: Int32Array.of(101, 7592, 102, 2088, 999, 102),
    firstPart: 3,
    tokens: 6,
    truncated: false,
    unknown: false,
  });
  expect(two).toMatchObject({ ids: Int32Array.of(101, 7592, 102, 102), firstPart: 3, unknown: true });
});

test('a tokenizer of one token type has pairs of one part', async () => {
  const path = await framed({
    type: 'RobertaProcessing',
    sep: ['[SEP]', 102],
    cls: ['[CLS]', 101],
    trim_offsets: true,
    add_prefix_space: false,
  });
  const roberta = await Tokenizer.load({ path, maxTokens: 16 });
  const [pair] = await roberta.encodePairs('Hello', ['world!']);
  expect(pair).toMatchObject({ ids: Int32Array.of(101, 7592, 102, 102, 2088, 999, 102), firstPart: 7 });
});

test('a tokenizer without a frame joins the parts', async () => {
  const bare = await Tokenizer.load({ path: await framed(null), maxTokens: 16 });
  const [pair] = await bare.encodePairs('Hello', ['world!']);
  expect(pair).toMatchObject({ ids: Int32Array.of(7592, 2088, 999), firstPart: 1 });
});

test('prefixes stand before both parts', async () => {
  const prefixed = await Tokenizer.load({
    path: BUNDLED,
    maxTokens: 64,
    queryPrefix: 'query: ',
    documentPrefix: 'passage: ',
  });
  expect(await prefixed.encodePairs('moon', ['sun'])).toEqual(
    await bert.encodePairs('query: moon', ['passage: sun']),
  );
});

test('whatever the lengths, pairs are those of Hugging Face, cut as they are there', async () => {
  const native = NativeTokenizer.fromFile(BUNDLED);
  native.disablePadding();
  const words = fc
    .array(fc.constantFrom('moon ', 'unbelievable ', '😀 ', 'Straße, '), { maxLength: 40 })
    .map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(
      words,
      fc.array(words, { maxLength: 4 }),
      // Odd, so that the room is even; with an odd room, other rules there decide which part gets the odd token.
      fc.integer({ min: 4, max: 24 }).map((half) => 2 * half + 1),
      async (query, texts, most) => {
        // Its truncation is longest_first by default.
        native.setTruncation(most);
        const pairs = await bert.encodePairs(query, texts, most);
        expect(pairs).toHaveLength(texts.length);
        for (const [n, { ids, firstPart, tokens, truncated }] of pairs.entries()) {
          const expected = await native.encode(query, texts[n] ?? '', { addSpecialTokens: true });
          expect([...ids]).toEqual(expected.getIds());
          expect(expected.getTypeIds()).toEqual(Array.from(ids, (_, at) => (at < firstPart ? 0 : 1)));
          expect(truncated).toBe(tokens > most);
        }
      },
    ),
    { numRuns: 200 },
  );
});

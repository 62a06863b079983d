import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { byteLevelAlphabet, Tokenizer as NativeTokenizer } from 'tokenizers';
import { Tokenizer } from './tokenizer.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const BUNDLED = join(ROOT, 'models/all-MiniLM-L6-v2/tokenizer.json');
const GOLDEN = join(resolve(ROOT, process.env['EMBEDMILL_SHARED'] ?? '../shared'), 'golden/minilm.json');

let folder: string;
let minilm: Tokenizer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-tokenizer-'));
  minilm = await Tokenizer.load({ path: BUNDLED, maxTokens: 256 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Ids of Hugging Face's own Python tokenizers for this model. */
const KNOWN: [text: string, ids: number[]][] = [
  ['', [101, 102]],
  ['Hello, world!', [101, 7592, 1010, 2088, 999, 102]],
  ['  white\tspace\n ', [101, 2317, 2686, 102]],
  ['Naïve CAFÉ', [101, 15743, 7668, 102]],
  ['日本', [101, 1864, 1876, 102]],
  ['\u0001\u0002', [101, 102]],
];

test.each(KNOWN)('the ids of %j are those that the model was trained on', async (text, ids) => {
  const [encoded] = await minilm.encode([text], 'document');
  expect([...(encoded?.ids ?? [])]).toEqual(ids);
  expect(encoded).toMatchObject({ tokens: ids.length, truncated: false });
});

interface Golden {
  texts: { name: string; text: string; ids_truncated_256: number[]; ids_full: number[] | null }[];
}
const hasGolden = existsSync(GOLDEN);
test.skipIf(!hasGolden)(
  `all golden texts give Hugging Face’s ids, cut and whole${hasGolden ? '' : ' (skipped: no EMBEDMILL_SHARED)'}`,
  async () => {
    const { texts } = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Golden;
    expect(texts.length).toBe(40);
    const whole = await Tokenizer.load({ path: BUNDLED, maxTokens: 1_000_000 });
    const all = texts.map(({ text }) => text);
    const cutOnes = await minilm.encode(all, 'document');
    const wholeOnes = await whole.encode(all, 'query');
    for (const [n, { name, ids_truncated_256: cutIds, ids_full: full }] of texts.entries()) {
      expect([...(cutOnes[n]?.ids ?? [])], name).toEqual(cutIds);
      expect([...(wholeOnes[n]?.ids ?? [])], name).toEqual(full ?? cutIds);
      expect(cutOnes[n]?.tokens, name).toBe((full ?? cutIds).length);
      expect(cutOnes[n]?.truncated, name).toBe(full !== null && full.length > 256);
    }
  },
);

const E5 = join(ROOT, 'models/multilingual-e5-small-int8/tokenizer.json.gz');
const E5_GOLDEN = GOLDEN.replace('minilm.json', 'multilingual-e5-small.json');
const e5Options = { path: E5, queryPrefix: 'query: ', documentPrefix: 'passage: ' };

test('a gzipped tokenizer of XLM-R’s kind gives the ids that its model was trained on', async () => {
  const e5 = await Tokenizer.load({ ...e5Options, maxTokens: 512 });
  const [phone, money] = await e5.encode(['手机', '存钱的地方'], 'document');
  expect([...phone!.ids]).toEqual([0, 46692, 12, 6, 14754, 2]);
  expect([...money!.ids]).toEqual([0, 46692, 12, 6, 11189, 9940, 16076, 2]);
  const [odd] = await e5.encode(['a\u00a0b\u2003c\u3000d'], 'query');
  expect([...odd!.ids]).toEqual([0, 41, 1294, 12, 10, 876, 501, 104, 2]);
});

const hasE5Golden = existsSync(E5_GOLDEN);
test.skipIf(!hasE5Golden)(
  `all golden texts of the multilingual model give its ids${hasE5Golden ? '' : ' (skipped: no EMBEDMILL_SHARED)'}`,
  async () => {
    const golden = JSON.parse(readFileSync(E5_GOLDEN, 'utf8')) as {
      prefix: string;
      text: string;
      ids: number[];
    }[];
    expect(golden.length).toBe(48);
    const e5 = await Tokenizer.load({ ...e5Options, maxTokens: 512 });
    for (const role of ['query', 'document'] as const) {
      const prefix = role === 'query' ? e5.queryPrefix : e5.documentPrefix;
      const own = golden.filter((one) => one.prefix === prefix);
      const cold = await e5.encode(
        own.map(({ text }) => text),
        role,
      );
      const warm = await e5.encode(
        own.map(({ text }) => text),
        role,
      );
      for (const [n, { text, ids }] of own.entries()) {
        expect([...cold[n]!.ids], text).toEqual(ids);
        expect([...warm[n]!.ids], text).toEqual(ids);
      }
    }
  },
);

test('many texts come back in their order, whatever batches they went through', async () => {
  const texts = Array.from({ length: 700 }, (_, n) => `${n} sheep`);
  const encoded = await minilm.encode(texts, 'document');
  expect(encoded).toHaveLength(700);
  for (const n of [0, 255, 256, 257, 511, 512, 699]) {
    const [alone] = await minilm.encode([`${n} sheep`], 'document');
    expect(encoded[n]).toEqual(alone);
  }
});

test('a text of many pieces has the tokens of the whole', async () => {
  const word = 'extraordinarily wordy ';
  const repeats = 5_000;
  const [one] = await minilm.encode([word], 'document');
  const [many] = await minilm.encode([word.repeat(repeats)], 'document');
  const own = (one?.tokens ?? 0) - 2;
  expect(many?.tokens).toBe(own * repeats + 2);
  expect(many?.truncated).toBe(true);
  expect(many?.ids).toHaveLength(256);
  expect([...(many?.ids.slice(1, 1 + own) ?? [])]).toEqual([...(one?.ids.slice(1, 1 + own) ?? [])]);
  expect(many?.ids.at(-1)).toBe(102);
});

test('the prefix of a query is not that of a document', async () => {
  const e5 = await Tokenizer.load({
    path: BUNDLED,
    maxTokens: 256,
    queryPrefix: 'query: ',
    documentPrefix: 'passage: ',
  });
  const [query] = await e5.encode(['moon'], 'query');
  const [document] = await e5.encode(['moon'], 'document');
  const [plainQuery] = await minilm.encode(['query: moon'], 'query');
  const [plainDocument] = await minilm.encode(['passage: moon'], 'query');
  expect(query).toEqual(plainQuery);
  expect(document).toEqual(plainDocument);
  // A request's own prefix takes precedence over the role's.
  const asked = await e5.prefixOf('passage: ');
  expect((await e5.encode(['moon'], asked))[0]).toEqual(plainDocument);
  const [many] = await e5.encode(['moon '.repeat(300)], asked, { keep: 'end' });
  expect([...many!.ids.slice(1, 1 + asked.ids.length)]).toEqual(asked.ids);
  expect(e5.knows(await e5.prefixOf('moon').then(({ ids }) => e5.frame(ids, [])), asked)).toBe(true);
  expect(e5.knows(e5.frame(asked.ids, []), asked)).toBe(false);
});

test('tokenizers that frame a text otherwise, or not at all, are understood', async () => {
  const bare = JSON.parse(readFileSync(BUNDLED, 'utf8')) as Record<string, unknown>;
  const path = join(folder, 'bare.json');
  await writeFile(path, JSON.stringify({ ...bare, post_processor: null }));
  const unframed = await Tokenizer.load({ path, maxTokens: 8 });
  expect([unframed.start, unframed.end]).toEqual([[], []]);
  const [encoded] = await unframed.encode(['Hello, world!'], 'document');
  expect([...(encoded?.ids ?? [])]).toEqual([7592, 1010, 2088, 999]);

  const suffix = {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[SEP]', type_id: 0 } }],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { '[SEP]': { id: '[SEP]', ids: [102], tokens: ['[SEP]'] } },
  };
  await writeFile(path, JSON.stringify({ ...bare, post_processor: suffix }));
  const suffixed = await Tokenizer.load({ path, maxTokens: 3 });
  expect([suffixed.start, suffixed.end]).toEqual([[], [102]]);
  const [short] = await suffixed.encode(['Hello, world!'], 'document');
  expect([...(short?.ids ?? [])]).toEqual([7592, 1010, 102]);
  expect(short).toMatchObject({ tokens: 5, truncated: true });
});

const bert = JSON.parse(readFileSync(BUNDLED, 'utf8')) as { added_tokens: object[] };
const mask = {
  id: 103,
  content: '<mask>',
  special: true,
  normalized: false,
  single_word: false,
  lstrip: true,
  rstrip: false,
};
const KINDS: Record<string, object> = {
  'of BERT’s kind': bert,
  'whose mask takes the space before it': { ...bert, added_tokens: [...bert.added_tokens, mask] },
  'of bytes': {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    decoder: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries([...byteLevelAlphabet(), 'mi'].map((one, id) => [one, id])),
      merges: ['m i'],
    },
  },
};

test.each(Object.entries(KINDS))(
  'plain encodings of a tokenizer %s are the native ones, in UTF-16 units',
  async (_kind, json) => {
    const path = join(folder, 'kind.json');
    await writeFile(path, JSON.stringify(json));
    const tokenizer = await Tokenizer.load({ path, maxTokens: 256 });
    const native = NativeTokenizer.fromString(JSON.stringify(json));
    native.disableTruncation();
    native.disablePadding();
    const texts = ['The mill \t <mask>, 日本 😀<mask> e\u0301', '', 'x<mask>'].concat(
      Array.from({ length: 300 }, (_, n) => (n % 90 === 0 ? `mill   <mask> ${n}` : `😀 mill ${n}. `)),
    );
    const encodings = await native.encodeBatch(texts, { addSpecialTokens: false });
    for (let run = 0; run < 2; run += 1) {
      let next = 0;
      for await (const encoding of tokenizer.encodePlain(texts)) {
        const expected = encodings[next]!;
        const units = [...texts[next]!].reduce((all, { length }) => [...all, all.at(-1)! + length], [0]);
        expect(encoding.length).toBe(expected.getLength());
        expect(Array.from(encoding.ids())).toEqual(expected.getIds());
        const offsets = expected.getOffsets().flat();
        expect(Array.from(encoding.offsets())).toEqual(offsets.map((point) => units[point]));
        next += 1;
      }
      expect(next).toBe(texts.length);
    }
  },
);

test('others get turns of the event loop while texts of known words are read', async () => {
  const text = 'The mill by the river ground wheat. '.repeat(500);
  const texts = Array.from({ length: 100 }, () => text);
  await minilm.encode([text], 'document');
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await minilm.encode(texts, 'document');
  isDone = true;
  expect(turns).toBeGreaterThan(40);
});

test('a file that is missing or no tokenizer is said to be so', async () => {
  const missing = Tokenizer.load({ path: join(folder, 'none.json'), maxTokens: 256 });
  await expect(missing).rejects.toMatchObject({ code: 'model_unavailable' });
  const path = join(folder, 'other.json');
  await writeFile(path, '{"not": "a tokenizer"}');
  await expect(Tokenizer.load({ path, maxTokens: 256 })).rejects.toMatchObject({ code: 'model_corrupt' });
  await expect(Tokenizer.load({ path: BUNDLED, maxTokens: 2 })).rejects.toMatchObject({
    code: 'model_corrupt',
  });
});

test('offsets say where each token of a query stands, prefix and special tokens aside', async () => {
  const e5 = await Tokenizer.load({ path: BUNDLED, maxTokens: 8, queryPrefix: 'query: ' });
  const text = '😀 Naïve embeddings';
  const [encoded] = await e5.encode([text], 'query', { offsets: true });
  const [plain] = await e5.encode([text], 'query');
  expect(plain).not.toHaveProperty('offsets');
  expect(encoded?.ids).toEqual(plain?.ids);
  const offsets = encoded?.offsets ?? new Int32Array();
  const tokens = Array.from(encoded?.ids ?? [], (id, n) => {
    const [start = 0, end = 0] = offsets.subarray(2 * n, 2 * n + 2);
    return [e5.tokenText(id), start === -1 ? end : text.slice(start, end)];
  });
  expect(tokens).toEqual([
    ['[CLS]', -1],
    ['query', -1],
    [':', -1],
    ['[UNK]', '😀'],
    ['naive', 'Naïve'],
    ['em', 'em'],
    ['##bed', 'bed'],
    ['[SEP]', -1],
  ]);
});

test('a token’s text is the vocabulary’s; ids beyond it have none', () => {
  expect(minilm.tokenText(2015)).toBe('##s');
  expect(minilm.tokenText(999_999)).toBeUndefined();
});

test('the end of a text that is too long is read behind its prefix, where that is asked for', async () => {
  const e5 = await Tokenizer.load({ path: BUNDLED, maxTokens: 8, queryPrefix: 'query: ' });
  const numbers = Array.from({ length: 40 }, (_, n) => String(n));
  const [long] = await e5.encode([numbers.join(' ')], 'query', { keep: 'end', offsets: true });
  const [short] = await e5.encode([numbers.slice(-4).join(' ')], 'query');
  expect(long?.ids).toEqual(short?.ids);
  expect(long).toMatchObject({ truncated: true, tokens: 44 });
  expect([...(long?.offsets ?? [])].slice(0, 8)).toEqual([-1, -1, -1, -1, -1, -1, 98, 100]);
  const [whole] = await e5.encode(['36 37'], 'query', { keep: 'end' });
  expect(whole).toEqual((await e5.encode(['36 37'], 'query'))[0]);
});

test('token ids of a client’s are a text’s: prefixed, framed, and cut within their frame', async () => {
  const e5 = await Tokenizer.load({ path: BUNDLED, maxTokens: 8, queryPrefix: 'query: ' });
  const [text] = await e5.encode(['Hello, world!'], 'query');
  const ids = [7592, 1010, 2088, 999];
  for (const given of [ids, [101, ...ids, 102], [101, ...ids], [...ids, 102]])
    expect(e5.encodeIds(given, 'query').ids).toEqual(text?.ids);
  const many = Array.from({ length: 20 }, (_, n) => 2000 + n);
  const cut = e5.encodeIds([101, ...many, 102], 'query');
  expect(cut).toMatchObject({ truncated: true, tokens: 24 });
  expect([...cut.ids]).toEqual([101, 23032, 1024, 2000, 2001, 2002, 2003, 102]);
  expect([...e5.encodeIds(many, 'query', 'end').ids]).toEqual([
    101, 23032, 1024, 2016, 2017, 2018, 2019, 102,
  ]);
  expect(e5.encodeIds([101, 102], 'document')).toMatchObject({
    ids: Int32Array.of(101, 102),
    truncated: false,
  });
});

test('a text of unknown tokens alone is told from others, whatever its prefix', async () => {
  const e5 = await Tokenizer.load({ path: BUNDLED, maxTokens: 16, queryPrefix: 'query: ' });
  const knows = async (text: string, role: 'query' | 'document') => {
    const [encoded] = await e5.encode([text], role);
    return e5.knows(encoded?.ids ?? [], role);
  };
  for (const role of ['query', 'document'] as const) {
    for (const text of ['🚀', '🚀 🎸', '', '\u0001']) expect(await knows(text, role), text).toBe(false);
    for (const text of ['a', '🚀 fox', '!', 'query:']) expect(await knows(text, role), text).toBe(true);
  }
  const [unknown, known] = await e5.encodePairs('a fox', ['🚀', '🚀 fox']);
  expect([unknown?.unknown, known?.unknown]).toEqual([true, false]);
});

test('a text’s tokens come with what they stand for, in bytes of the prefixed text, and are not cut', async () => {
  const prefixed = await Tokenizer.load({ path: BUNDLED, maxTokens: 8, queryPrefix: 'query: ' });
  const prefix = prefixed.prefixFor('query');
  const [tokens = []] = await prefixed.tokensOf(['Naïve 日本 cafés '.repeat(4)], prefix, true);
  const whole = Buffer.from(`query: ${'Naïve 日本 cafés '.repeat(4)}`);
  expect(tokens.length).toBeGreaterThan(8);
  expect(tokens.at(0)).toEqual({ id: 101, text: '[CLS]', special: true, start: null, stop: null });
  expect(tokens.at(-1)).toMatchObject({ id: 102, special: true });
  for (const { text, start, stop, special } of tokens.slice(1, -1)) {
    expect(special).toBe(false);
    expect(whole.subarray(start ?? -1, stop ?? -1).toString()).toBe(text);
  }
  const [plain = []] = await prefixed.tokensOf(['Naïve'], prefixed.prefixFor('document'), false);
  expect(plain.map(({ id, text }) => [id, text])).toEqual([[15743, 'Naïve']]);
});

test('ids are read back to text, with the special ones’ names where they are wanted', async () => {
  const ids = [101, 7592, 2088, 102];
  expect(await minilm.decode(ids)).toBe('hello world');
  expect(await minilm.decode(ids, { special: true })).toBe('[CLS] hello world [SEP]');
});

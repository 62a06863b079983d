import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineProcess, type Engine } from '@embedmill/inference';
import type { QueryOf, QueryResult } from '@embedmill/jobs';
import { resolveModel } from '@embedmill/models';
import { ServedModel } from './served-model.ts';

/** Token answers of the interactive lane, with the bundled model in a real engine. */
const MODELS = fileURLToPath(new URL('../../../models', import.meta.url));
const NAME = 'all-MiniLM-L6-v2';
const TEXT = 'Call me Ishmael.';
/** From its vocabulary: [CLS] call me is ##hma ##el . [SEP] */
const IDS = [101, 2655, 2033, 2003, 22444, 2884, 1012, 102];

/** Never asked. */
const NO_ENGINE: Engine = {
  dims: 384,
  outputs: ['dense'],
  capacity: 1,
  run: () => Promise.reject(new Error('it was asked')),
  close: () => Promise.resolve(),
};

let served: ServedModel;

beforeAll(async () => {
  const model = await resolveModel(NAME, { modelsDir: MODELS, cacheDir: MODELS });
  served = await ServedModel.load(
    { ...model, revision: 'r1' },
    {
      start: async () => {
        const engine = await EngineProcess.start({
          entry: new URL('./engine.ts', import.meta.url),
          model: { kind: 'dense', path: model.modelPath, pooling: 'mean', normalize: true, padTokenId: 0 },
          device: { kind: 'cpu', threads: 1 },
          deadlineMs: 60_000,
        });
        return { engines: [engine], budget: {}, readsTexts: false };
      },
    },
  );
}, 120_000);
afterAll(() => served?.close());

const ask = async <Task extends 'states' | 'tokenize' | 'detokenize' | 'tokens' | 'embed'>(
  query: QueryOf<Task>,
) => (await served.answer(query)) as QueryResult<Task>;
const states = (inputs: (string | number[])[], more: Partial<QueryOf<'states'>> = {}) =>
  ask<'states'>({ task: 'states', model: NAME, inputs, role: 'document', ...more });

test('tokens come with their ids and places, special ones where they are wanted', async () => {
  const asked = { task: 'tokenize' as const, model: NAME, inputs: [TEXT, ''], role: 'document' as const };
  const { found } = await ask<'tokenize'>({ ...asked, special: true });
  expect(found[0]?.map(({ id }) => id)).toEqual(IDS);
  expect(found[1]?.map(({ text }) => text)).toEqual(['[CLS]', '[SEP]']);
  const plain = (await ask<'tokenize'>({ ...asked, special: false })).found;
  expect(plain[0]?.map(({ id }) => id)).toEqual(IDS.slice(1, -1));
  expect(plain[0]?.map(({ start, stop }) => TEXT.slice(start ?? 0, stop ?? 0))).toEqual([
    ...['Call', 'me', 'Is', 'hma', 'el', '.'],
  ]);
});

test('ids are read back to text, and one that is not of the vocabulary is named', async () => {
  const asked = { task: 'detokenize', model: NAME } as const;
  expect(await ask<'detokenize'>({ ...asked, inputs: [IDS], special: false })).toEqual({
    texts: ['call me ishmael.'],
  });
  const { texts } = await ask<'detokenize'>({ ...asked, inputs: [IDS], special: true });
  expect(texts[0]).toMatch(/^\[CLS\].*\[SEP\]$/);
  await expect(
    ask<'detokenize'>({ ...asked, inputs: [[1], [999_999]], special: false }),
  ).rejects.toMatchObject({ code: 'invalid_request', details: [{ path: 'inputs/1' }] });
});

test('each token has a vector of length 1, of a text as of its ids', async () => {
  const { dims, states: found, tokens, truncated } = await states([TEXT, 'a bank', IDS]);
  expect({ dims, tokens, truncated }).toEqual({
    dims: 384,
    tokens: [IDS.length, 4, IDS.length],
    truncated: [false, false, false],
  });
  const [text, other, ids] = found;
  expect(other).toHaveLength(4 * 384);
  for (let at = 0; at < IDS.length; at += 1)
    expect(Math.hypot(...(text?.subarray(at * 384, (at + 1) * 384) ?? []))).toBeCloseTo(1, 5);
  expect(ids).toEqual(text);
});

test('a text that is too long keeps the end that is asked for', async () => {
  const long = `first ${'word '.repeat(400)}last`;
  const [fromStart, fromEnd] = [await states([long]), await states([long], { keep: 'end' })];
  for (const { tokens, truncated } of [fromStart, fromEnd])
    expect({ tokens, truncated }).toEqual({ tokens: [256], truncated: [true] });
  expect(fromEnd.states[0]).not.toEqual(fromStart.states[0]);
});

test('a question’s tokens come with the dense vector that it has by itself, in the same bits', async () => {
  const inputs = [TEXT, 'where does the river meet the sea?'];
  const { dense, questions, ...reading } = await ask<'tokens'>({
    task: 'tokens',
    model: NAME,
    dims: 384,
    inputs,
  });
  const { vectors, dims, ...embedded } = await ask<'embed'>({
    task: 'embed',
    model: NAME,
    role: 'query',
    inputs,
  });
  expect(dense).toEqual({ dims, vectors });
  expect(reading).toEqual(embedded);
  // [CLS] and [SEP] represent no word.
  expect(questions[0]!.vectors).toHaveLength((IDS.length - 2) * 384);
  expect([...questions[0]!.places]).toEqual([0, 5, 8, 10, 13, 15]);
});

test('vectors come as the model gives them where that is asked for, and else the same bits of length 1', async () => {
  const asked = { task: 'embed', model: NAME, role: 'document', inputs: [TEXT, IDS, 'a bank'] } as const;
  const query = { ...asked, inputs: [...asked.inputs] };
  const [plain, raw, again] = await Promise.all([
    ask<'embed'>(query),
    ask<'embed'>({ ...query, normalize: false }),
    ask<'embed'>({ ...query, normalize: true }),
  ]);
  expect(again.vectors).toEqual(plain.vectors);
  for (let at = 0; at < raw.vectors.length; at += raw.dims) {
    const own = raw.vectors.subarray(at, at + raw.dims);
    const norm = Math.hypot(...own);
    expect(Math.abs(norm - 1)).toBeGreaterThan(0.1);
    expect(own.map((value) => value / norm)).toEqual(plain.vectors.subarray(at, at + raw.dims));
  }
  const [tokens, scaled] = [await states([TEXT], { normalize: false }), await states([TEXT])];
  const [first, unit] = [tokens.states[0]?.subarray(0, 384), scaled.states[0]?.subarray(0, 384)];
  const norm = Math.hypot(...(first ?? []));
  expect(Math.abs(norm - 1)).toBeGreaterThan(0.1);
  expect(first?.map((value) => value / norm)).toEqual(unit);
});

test('a question for stored token vectors in the same batch takes nothing from one for whole ones', async () => {
  const question = { task: 'tokens', model: NAME, dims: 384, inputs: ['a captain'] } as const;
  const [found] = await Promise.all([
    states(['Call me Ishmael.', 'a whale']),
    served.answer({ ...question, inputs: [...question.inputs] }),
  ]);
  const alone = await states(['Call me Ishmael.', 'a whale']);
  expect(found.states).toEqual(alone.states);
});

test('a model that is run elsewhere says that it has no raw vectors', async () => {
  const model = await resolveModel(NAME, { modelsDir: MODELS, cacheDir: MODELS });
  const remote = await ServedModel.load(
    { ...model, revision: 'r1' },
    { start: async () => ({ engines: [NO_ENGINE], budget: {}, readsTexts: true }) },
  );
  await expect(
    remote.answer({ task: 'embed', model: NAME, role: 'document', inputs: ['a'], normalize: false }),
  ).rejects.toMatchObject({ code: 'invalid_request', details: [{ path: 'normalize' }] });
});

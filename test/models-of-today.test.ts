import { mkdtemp, cp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Embedmill, ndjson, runCli } from './embedmill.ts';

/**
 * Folders in the layout of sentence-transformers with current kinds of models, as tiny exports, through every process.
 */
const FIXTURES = fileURLToPath(new URL('../libs/inference/fixtures/tiny-exports', import.meta.url));

interface Golden {
  texts: string[];
  decoder: { vectors: number[][] };
  projected: { vectors: number[][] };
  adapted: { prompted: Record<'query' | 'passage', number[][]> };
  'three-outputs': { ids: number[][]; vectors: number[][]; lexical: number[][] };
}

let mill: Embedmill;
let folder: string;
let golden: Golden;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-today-'));
  for (const name of ['decoder', 'projected', 'three-outputs', 'adapted'])
    await cp(join(FIXTURES, name), join(folder, name), { recursive: true });
  golden = await read<Golden>('golden.json');
  mill = await Embedmill.up({ env: { EMBEDMILL_MODELS_DIR: folder } });
});
afterAll(async () => {
  await mill.stop();
  await rm(folder, { recursive: true, force: true });
});

const read = async <T>(path: string) => JSON.parse(await readFile(join(FIXTURES, path), 'utf8')) as T;
const documents = () => ndjson(golden.texts.map((text, n) => ({ id: String(n), text })));
const cosine = (a: readonly number[], b: readonly number[]): number => {
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, n) => sum + value * y[n]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};
const embed = async (model: string, input: string[], more: object = {}): Promise<number[][]> => {
  const answer = await mill.json<{ data: { embedding: number[] }[] }>('/v1/embeddings', {
    model,
    input,
    ...more,
  });
  return answer.data.map(({ embedding }) => embedding);
};
/** Tokens that the model has read for bulk jobs and for queries. */
const tokensRead = async (model: string): Promise<{ bulk: number; interactive: number }> => {
  const { metrics } = await mill.state();
  const text = await (await fetch(metrics.worker)).text();
  const of = (lane: string) =>
    Number(
      new RegExp(
        `^embedmill_tokens_total\\{(?=[^}]*model="${model}")(?=[^}]*lane="${lane}")[^}]*\\} (\\S+)$`,
        'm',
      ).exec(text)?.[1] ?? 0,
    );
  return { bulk: of('bulk'), interactive: of('interactive') };
};

test('a decoder with a Dense module gives the same vectors as in Python, alone and in a batch', async () => {
  const together = await embed('decoder', golden.texts);
  for (const [n, vector] of golden.decoder.vectors.entries()) {
    expect(cosine(together[n]!, vector)).toBeGreaterThanOrEqual(0.9999);
    const [alone] = await embed('decoder', [golden.texts[n]!]);
    expect(cosine(alone!, vector)).toBeGreaterThanOrEqual(0.9999);
  }
});

test('its prompts and instructions are put in front of a request’s texts', async () => {
  const text = 'a river';
  const [prompted] = await embed('decoder', [text], { prompt_name: 'STS' });
  const [written] = await embed('decoder', [`Instruct: Retrieve semantically similar text\nQuery:${text}`]);
  expect(prompted).toEqual(written);
  const [told] = await embed('decoder', [text], { instruction: 'Retrieve semantically similar text' });
  expect(told).toEqual(written);
  expect((await embed('decoder', [text]))[0]).not.toEqual(written);
  const { models } = await mill.json<{ models: { name: string; prompts: Record<string, string> }[] }>(
    '/api/v1/models',
  );
  expect(Object.keys(models.find(({ name }) => name === 'decoder')!.prompts)).toEqual([
    'query',
    'document',
    'STS',
  ]);
});

test.each(['decoder', 'projected'] as const)('a job and a search on %s', async (model) => {
  const name = await mill.collection(model, { model });
  const job = await mill.finished(await mill.submit(name, documents()));
  expect(job).toMatchObject({ state: 'completed', stored: golden.texts.length, failed: 0 });
  const { vectors } = golden[model];
  // Embedded as a document, a text finds itself first, and then the others by their cosines in Python.
  const hits = await mill.search(name, { query: golden.texts[1]!, limit: 8, prompt: 'document' });
  expect(hits[0]).toMatchObject({ id: '1', score: expect.closeTo(1, 4) as number });
  if (model === 'decoder')
    for (const { id, score } of hits) expect(score).toBeCloseTo(cosine(vectors[1]!, vectors[Number(id)]!), 4);
});

test('dense and sparse vectors of one model come from one run, for documents and for queries', async () => {
  const model = 'three-outputs';
  const dense = await mill.collection('dense', { model });
  const both = await mill.collection('both', { model, sparse: { splade: { model } } });
  const before = await tokensRead(model);
  await mill.finished(await mill.submit(dense, documents()));
  const between = await tokensRead(model);
  await mill.finished(await mill.submit(both, documents()));
  const after = await tokensRead(model);
  expect(between.bulk - before.bulk).toBe(golden[model].ids.flat().length);
  expect(after.bulk - between.bulk).toBe(between.bulk - before.bulk);

  await mill.search(dense, { query: 'the river' });
  const asked = (await tokensRead(model)).interactive - after.interactive;
  const [hit] = await mill.search(both, { query: 'the river', mode: 'hybrid', explain: true });
  expect((await tokensRead(model)).interactive - after.interactive).toBe(2 * asked);
  expect(Object.keys(hit!.scores!)).toEqual(expect.arrayContaining(['dense', 'splade']));

  // A space that is a token by itself carries no meaning.
  const { model: tokenizer } = await read<{ model: { vocab: Record<string, number> } }>(
    'three-outputs/tokenizer.json',
  );
  const bareSpace = tokenizer.vocab['Ġ'];
  const answer = await mill.json<{ index: number; value: number }[][]>('/embed_sparse', {
    model,
    inputs: golden.texts,
  });
  for (const [n, ids] of golden[model].ids.entries()) {
    const expected = new Map<number, number>();
    for (const [at, id] of ids.entries()) {
      const weight = golden[model].lexical[n]![at]!;
      if (at > 0 && at < ids.length - 1 && weight > 0 && id !== bareSpace)
        expected.set(id, Math.max(weight, expected.get(id) ?? 0));
    }
    expect(answer[n]!.map(({ index }) => index)).toEqual([...expected.keys()].toSorted((a, b) => a - b));
    for (const { index, value } of answer[n]!) expect(value).toBeCloseTo(expected.get(index)!, 5);
  }
});

test('a document that is submitted again takes both vectors from the store', async () => {
  const model = 'three-outputs';
  const name = await mill.collection('again', { model, sparse: { splade: { model } } });
  const line = (year: number) => ndjson([{ id: 'a', text: 'the bank of the river', metadata: { year } }]);
  await mill.finished(await mill.submit(name, line(1)));
  const before = await tokensRead(model);
  expect(await mill.finished(await mill.submit(name, line(2)))).toMatchObject({ stored: 1 });
  expect(await tokensRead(model)).toEqual(before);
  const [hit] = await mill.search(name, { query: 'the bank of the river', mode: 'sparse' });
  expect(hit).toMatchObject({ id: 'a', metadata: { year: 2 } });
});

test('one command reads, tests and adds a folder from elsewhere, and its model serves at once', async () => {
  const env = { EMBEDMILL_MODELS_DIR: folder };
  const added = await runCli(['models', 'add', join(FIXTURES, 'projected'), '--name', 'mine'], { env });
  expect(added).toMatchObject({ code: 0 });
  expect(added.stdout).toMatch(/pooling mean, Dense .*, normalized/);
  expect(added.stdout).toMatch(/two texts became \d+ numbers each, of length 1\.000/);
  expect(await embed('mine', golden.texts)).toEqual(await embed('projected', golden.texts));

  const taken = await runCli(['models', 'add', join(FIXTURES, 'decoder'), '--name', 'mine'], { env });
  expect(taken).toMatchObject({ code: 1 });
  expect(taken.stderr).toContain('the model mine already exists');
  const nothing = await runCli(['models', 'add', join(FIXTURES, 'decoder', '1_Pooling')], { env });
  expect(nothing.stderr).toMatch(/has no ONNX file/);
});

test('a graph with adapters uses one for documents and another for queries, as in Python', async () => {
  const model = 'adapted';
  const { query, passage } = golden[model].prompted;
  const asked = await embed(model, golden.texts, { input_type: 'query' });
  const stored = await embed(model, golden.texts);
  const named = await embed(model, golden.texts, { prompt_name: 'retrieval.query' });
  for (const n of golden.texts.keys()) {
    expect(cosine(asked[n]!, query[n]!)).toBeGreaterThanOrEqual(0.9999);
    expect(cosine(stored[n]!, passage[n]!)).toBeGreaterThanOrEqual(0.9999);
  }
  expect(named).toEqual(asked);

  const name = await mill.collection('adapted', { model });
  const job = await mill.finished(await mill.submit(name, documents()));
  expect(job).toMatchObject({ state: 'completed', stored: golden.texts.length, failed: 0 });
  const hits = await mill.search(name, { query: golden.texts[1]!, limit: 8 });
  for (const { id, score } of hits) expect(score).toBeCloseTo(cosine(query[1]!, passage[Number(id)]!), 4);
  const reranked = await mill.search(name, { query: golden.texts[1]!, limit: 8, rerank: true });
  expect(reranked).toHaveLength(8);

  // Its other adapters need entries of their own.
  await expect(embed(model, ['a'], { prompt_name: 'separation' })).rejects.toThrow(
    /400.*no \\"separation\\"; it has .*retrieval\.query, retrieval\.passage/,
  );
});

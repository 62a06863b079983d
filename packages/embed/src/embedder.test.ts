import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createEmbedder, embed, embedOne, type Embedder, type RunBatch } from './index.ts';

const MINILM = fileURLToPath(new URL('../../../models/all-MiniLM-L6-v2', import.meta.url));

let cacheFolder: string;
let embedder: Embedder;
const batches: RunBatch[] = [];
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'embedmill-embed-'));
  embedder = await createEmbedder({ cacheFolder, threads: 1, onBatch: (batch) => batches.push(batch) });
});
afterAll(async () => {
  await embedder.close();
  await rm(cacheFolder, { recursive: true, force: true });
});

/** Child processes of this one. */
const children = (): number =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'ProcessWrap').length;
let before: number;
afterEach(() => expect.poll(children).toBe(before));
beforeAll(() => {
  before = children();
});

const SUBJECTS = ['a whale', 'the price of copper', 'good morning', 'a captain of a ship', 'rain in spring'];
/** Texts of very different lengths. */
const texts = (count: number): string[] =>
  Array.from({ length: count }, (_, n) =>
    Array.from({ length: 1 + ((n * 7) % 11) }, (_, at) => SUBJECTS[(n + at) % SUBJECTS.length]).join(
      ` ${n} `,
    ),
  );
const cosine = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, d) => sum + value * b[d]!, 0);

async function collect(stream: AsyncIterable<Float32Array[]>): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for await (const group of stream) vectors.push(...group);
  return vectors;
}

test('each text gets the vector that it gets alone, in the order of the texts', async () => {
  const some = texts(300);
  batches.length = 0;
  const vectors = await collect(embedder.embed(some));
  expect(vectors).toHaveLength(300);
  expect(new Set(vectors.map(({ length }) => length))).toEqual(new Set([embedder.dims]));
  for (const n of [0, 1, 150, 299])
    expect(cosine(vectors[n]!, await embedder.embedOne(some[n]!))).toBeGreaterThan(0.99999);
  expect(cosine(vectors[0]!, vectors[1]!)).toBeLessThan(0.99);
  const sum = (of: (batch: RunBatch) => number) => batches.reduce((all, batch) => all + of(batch), 0);
  expect(sum(({ paddedTokens }) => paddedTokens) / sum(({ tokens }) => tokens)).toBeLessThan(1.1);
});

test('vectors belong to the caller, also for equal texts', async () => {
  const [first, second] = await collect(embedder.embed(['the same', 'the same']));
  const kept = [...second!];
  first!.fill(0);
  expect([...second!]).toEqual(kept);
});

test('several streams share an embedder', async () => {
  const all = await Promise.all([1, 2, 3].map((part) => collect(embedder.embed(texts(40 * part)))));
  expect(all.map(({ length }) => length)).toEqual([40, 80, 120]);
  expect(all[2]!.slice(0, 40)).toEqual(all[0]);
});

test('a truncated text is reported', async () => {
  const cut: unknown[] = [];
  const long = 'whale '.repeat(1000);
  await collect(embedder.embed(['short', long], { onTruncated: (one) => cut.push(one) }));
  expect(cut).toEqual([{ index: 1, tokens: 1002 }]);
  expect(embedder.maxTokens).toBe(256);
});

test('a size that the model was not trained for, and a group of none, are refused', async () => {
  await expect(embedder.embedOne('a', { dimensions: 128 })).rejects.toMatchObject({
    code: 'dimensions_not_allowed',
  });
  await expect(embedder.embed(['a'], { group: 0 }).next()).rejects.toMatchObject({ code: 'invalid_request' });
});

test('a loop that is left early leaves no engine behind', async () => {
  let taken = 0;
  for await (const vectors of embed(texts(3000), { cacheFolder, threads: 1, group: 64 })) {
    taken += vectors.length;
    expect(children()).toBe(before + 1);
    break;
  }
  expect(taken).toBe(64);
});

test('an error of the texts leaves no engine behind', async () => {
  function* broken(): Generator<string> {
    yield* texts(100);
    throw new Error('the cursor was lost');
  }
  await expect(collect(embed(broken(), { cacheFolder, threads: 1 }))).rejects.toThrow('the cursor was lost');
});

test('a signal ends the work and its engines', async () => {
  const controller = new AbortController();
  const stream = embed(texts(5000), { cacheFolder, threads: 1, group: 16, signal: controller.signal });
  await stream.next();
  controller.abort(new Error('enough'));
  await expect(collect(stream)).rejects.toThrow('enough');
});

test('closed, an embedder ends its engines at once and tells who waits', async () => {
  const other = await createEmbedder({ cacheFolder, threads: 1 });
  const stream = other.embed(texts(5000));
  const waiting = expect(collect(stream)).rejects.toMatchObject({
    code: 'no_worker',
    message: 'the embedder is closed',
  });
  await other.close();
  await waiting;
  await expect(other.embedOne('a')).rejects.toMatchObject({ code: 'no_worker' });
});

test('a folder’s model is the named one, whether it comes with embedmill or is somebody’s own', async () => {
  const own = join(cacheFolder, 'my-model');
  await cp(MINILM, own, { recursive: true });
  await rename(join(own, 'model_int8.onnx'), join(own, 'model.onnx'));
  const expected = await embedder.embedOne('a whale');
  for (const model of [MINILM, own]) {
    const vector = await embedOne('a whale', { model, cacheFolder, threads: 1 });
    expect(cosine(vector, expected)).toBeGreaterThan(0.99999);
  }
});

test('a query is read as the model was trained to read queries', async () => {
  const other = await createEmbedder({ model: 'multilingual-e5-small-int8', cacheFolder, threads: 1 });
  try {
    const asDocument = await other.embedOne('a whale');
    const asQuery = await other.embedOne('a whale', { role: 'query' });
    expect(cosine(asDocument, asQuery)).toBeLessThan(0.995);
  } finally {
    await other.close();
  }
});

test('missing models, and models without dense vectors, are refused with advice', async () => {
  const refused = (model: string) => createEmbedder({ model, cacheFolder });
  await expect(refused('no-such-model')).rejects.toMatchObject({ code: 'model_not_found' });
  await expect(refused('./no-such-folder')).rejects.toMatchObject({ code: 'model_unavailable' });
  await expect(refused('splade-tiny')).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(createEmbedder({ device: 'abacus' })).rejects.toMatchObject({ code: 'invalid_config' });
  await expect(createEmbedder({ threads: 0 })).rejects.toMatchObject({ code: 'invalid_config' });
});

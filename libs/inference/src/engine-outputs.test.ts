import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { asBytes } from '@embedmill/retrieval';
import { EngineProcess, type EngineBatch, type EngineModel, type PackedSparse } from './index.ts';
import { crossEncoder, halfEncoder, maskedLanguageModel } from './engine/tiny-models.fixture.ts';

const repo = fileURLToPath(new URL('../../..', import.meta.url));
const shared = process.env['EMBEDMILL_SHARED'] ?? join(repo, '../shared');
const hasShared = existsSync(join(shared, 'golden/splade.json'));
const without = hasShared ? '' : ' (skipped: no EMBEDMILL_SHARED)';
const ENGINE = new URL('./faulty-engine.ts', import.meta.url);

const int8: EngineModel = {
  kind: 'dense',
  path: join(repo, 'models/all-MiniLM-L6-v2/model_int8.onnx'),
  pooling: 'mean',
  normalize: true,
  padTokenId: 0,
};
const splade: EngineModel = {
  kind: 'sparse',
  path: join(repo, 'models/splade-tiny/model.onnx'),
  padTokenId: 0,
  dims: 30_522,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-outputs-'));
});
afterAll(() => rm(folder, { recursive: true }));
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(model: EngineModel, graphCache?: string): Promise<EngineProcess> {
  const device = { kind: 'cpu', threads: 1 } as const;
  const engine = await EngineProcess.start({ entry: ENGINE, model, device, graphCache });
  cleanups.push(() => engine.close());
  return engine;
}
type Tiny = { kind: 'reranker' | 'sparse' } | { kind: 'dense'; pooling: 'mean'; normalize: false };
async function startTiny(bytes: Buffer, model: Tiny & { padTokenId: number }): Promise<EngineProcess> {
  const path = join(folder, 'tiny.onnx');
  await writeFile(path, bytes);
  return start({ ...model, path });
}

const batchOf = (sequences: number[][], rest: Partial<EngineBatch> = {}): EngineBatch => ({
  ids: Int32Array.from(sequences.flat()),
  lengths: Int32Array.from(sequences, ({ length }) => length),
  urgent: false,
  ...rest,
});
const sentence = (seed: number, length: number): number[] => [
  101,
  ...Array.from({ length: length - 2 }, (_, at) => 1000 + ((seed * 7919 + at * 104_729) % 20_000)),
  102,
];
const SEQUENCES = Array.from({ length: 12 }, (_, n) => sentence(n, 3 + ((n * 37) % 60)));
/** Splits the tokens' numbers, which are concatenated, by sequence. */
const bySequence = (numbers: Float32Array, perToken = 1): Float32Array[] => {
  let at = 0;
  return SEQUENCES.map(({ length }) => numbers.slice(at * perToken, (at += length) * perToken));
};
const vectorsOf = ({ lengths, indices, values }: PackedSparse): Map<number, number>[] => {
  let at = 0;
  return Array.from(lengths, (length) => {
    const from = at;
    at += length;
    return new Map(Array.from({ length }, (_, n) => [indices[from + n]!, values[from + n]!]));
  });
};
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, x, n) => sum + x * b[n]!, 0);
const golden = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(join(shared, 'golden', `${name}.json`), 'utf8')) as T;

const slow = { timeout: 180_000 };

describe('a dense model', slow, () => {
  it('keeps token vectors in bytes, without special tokens, pooled where that is asked for', async () => {
    const engine = await start(int8);
    const { states, stateDims = 0 } = await engine.run(batchOf(SEQUENCES, { outputs: ['states'] }));
    const form = { dims: stateDims, poolFactor: 1, start: 1, end: 1 };
    const outputs = ['dense', 'states'] as const;
    const plain = await engine.run(batchOf(SEQUENCES));
    const kept = await engine.run(
      batchOf(SEQUENCES, { outputs, tokenVectors: SEQUENCES.map((_, n) => (n === 3 ? undefined : form)) }),
    );
    expect(kept.vectors).toEqual(plain.vectors);
    expect(kept.states).toBeUndefined();
    for (const [n, whole] of bySequence(states!, stateDims).entries()) {
      const bytes = kept.tokenVectors?.[n];
      if (n === 3) expect(bytes).toBeUndefined();
      else expect(bytes).toEqual(asBytes(whole.slice(stateDims, -stateDims), stateDims));
    }
    const pooled = await engine.run(
      batchOf(SEQUENCES, {
        outputs,
        tokenVectors: SEQUENCES.map(() => ({ ...form, dims: 64, poolFactor: 3 })),
      }),
    );
    expect(pooled.tokenVectors?.map((bytes) => bytes && bytes.length / 64)).toEqual(
      SEQUENCES.map(({ length }) => Math.ceil((length - 2) / 3)),
    );
  });

  it('keeps the states whole of sequences without a form, beside those in bytes', async () => {
    const engine = await start(int8);
    const outputs = ['states'] as const;
    const plain = await engine.run(batchOf(SEQUENCES, { outputs }));
    const form = { dims: 384, poolFactor: 1, start: 1, end: 1 };
    const tokenVectors = SEQUENCES.map((_, n) => (n < 6 ? form : undefined));
    const both = await engine.run(batchOf(SEQUENCES, { outputs, tokenVectors, wholeStates: true }));
    expect(both.states).toEqual(plain.states);
    const alone = await engine.run(batchOf(SEQUENCES, { outputs, tokenVectors }));
    expect(both.tokenVectors).toEqual(alone.tokenVectors);
    expect(both.tokenVectors?.slice(6)).toEqual(Array.from({ length: 6 }, () => undefined));
  });

  it('gives states and attention beside its vectors, which stay the same bits', async () => {
    const engine = await start(int8);
    expect(engine.outputs).toEqual(['dense', 'states', 'attention']);
    const plain = await engine.run(batchOf(SEQUENCES));
    expect(Object.keys(plain)).not.toContain('states');
    const all = await engine.run(batchOf(SEQUENCES, { outputs: ['attention', 'states', 'dense'] }));
    expect(all.vectors).toEqual(plain.vectors);
    const { vectors } = await engine.run(batchOf(SEQUENCES, { outputs: ['attention'] }));
    expect(vectors).toHaveLength(0);
  });

  it('gives the same states and attention alone and in any batch', async () => {
    const engine = await start(int8);
    const outputs = ['states', 'attention'] as const;
    const together = await engine.run(batchOf(SEQUENCES, { outputs }));
    expect(together.stateDims).toBe(384);
    const states = bySequence(together.states!, 384);
    const attention = bySequence(together.attention!);
    for (const [n, sequence] of SEQUENCES.entries()) {
      const alone = await engine.run(batchOf([sequence], { outputs }));
      expect(states[n]).toEqual(alone.states);
      expect(attention[n]).toEqual(alone.attention);
    }
  });

  it('gives states of length 1, so that a text matches itself wholly', async () => {
    const engine = await start(int8);
    const { states } = await engine.run(batchOf(SEQUENCES, { outputs: ['states'] }));
    for (const own of bySequence(states!, 384)) {
      const tokens = Array.from({ length: own.length / 384 }, (_, n) => own.slice(n * 384, (n + 1) * 384));
      for (const token of tokens) {
        expect(Math.max(...tokens.map((other) => dot(token, other)))).toBeCloseTo(1, 5);
      }
    }
  });

  it('gives attention that adds up to 1 over a text’s tokens', async () => {
    const engine = await start(int8);
    const { attention } = await engine.run(batchOf(SEQUENCES, { outputs: ['attention'] }));
    for (const weights of bySequence(attention!)) {
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
    }
  });

  it('gives the same from a graph that an earlier start has optimized', async () => {
    const graphCache = join(folder, 'graph.onnx');
    const batch = batchOf(SEQUENCES, { outputs: ['dense', 'states', 'attention'] });
    const { vectors, states, attention } = await (await start(int8, graphCache)).run(batch);
    const again = await start(int8, graphCache);
    expect(await again.run(batch)).toMatchObject({ vectors, states, attention });
  });

  it('gives float32 where its graph computes in float16', async () => {
    const engine = await startTiny(halfEncoder(), {
      kind: 'dense',
      pooling: 'mean',
      normalize: false,
      padTokenId: 99,
    });
    expect(engine.outputs).toEqual(['dense', 'states']);
    const { vectors, states } = await engine.run(batchOf([[4, 8, 3], [7]], { outputs: ['dense', 'states'] }));
    expect([...vectors]).toEqual([5, -5, 7, -7]);
    const half = Math.fround(Math.SQRT1_2);
    expect([...states!]).toEqual([half, -half, half, -half, half, -half, half, -half]);
  });

  it('says what it does not give, and goes on', async () => {
    const engine = await start(int8);
    await expect(engine.run(batchOf(SEQUENCES, { outputs: ['sparse'] }))).rejects.toMatchObject({
      code: 'engine_failed',
      message: expect.stringContaining('dense, states, attention') as string,
    });
    expect((await engine.run(batchOf(SEQUENCES))).vectors).toHaveLength(12 * 384);
  });

  it.skipIf(!hasShared)(`gives the golden attention${without}`, async () => {
    const { texts } = await golden<{ texts: { text: string; cls_attention_mean: number[] }[] }>('bm42');
    const known = await golden<{ texts: { text: string; ids: number[] }[] }>('splade');
    const fp32 = { ...int8, path: join(shared, 'models/all-MiniLM-L6-v2/model_attentions.onnx') };
    const engines = [
      { engine: await start(fp32), most: 2e-5 },
      { engine: await start(int8), most: 0.03 },
    ];
    const given = texts.flatMap(({ text, cls_attention_mean: weights }) => {
      const ids = known.texts.find((one) => one.text === text)?.ids;
      return ids?.length === weights.length ? [{ ids, weights }] : [];
    });
    expect(given.length).toBeGreaterThan(4);
    for (const { engine, most } of engines) {
      const { attention } = await engine.run(
        batchOf(
          given.map(({ ids }) => ids),
          { outputs: ['attention'] },
        ),
      );
      const expected = given.flatMap(({ weights }) => weights);
      expect(attention).toHaveLength(expected.length);
      const differences = expected.map((weight, n) => Math.abs(weight - attention![n]!));
      expect(Math.max(...differences)).toBeLessThan(most);
    }
  });
});

describe('a sparse model', slow, () => {
  it('gives the same weights alone and in any batch, and no dense vector', async () => {
    const engine = await start(splade);
    expect(engine.outputs).toEqual(['sparse']);
    expect(engine.dims).toBe(0);
    const { sparse, vectors } = await engine.run(batchOf(SEQUENCES));
    expect(vectors).toHaveLength(0);
    const together = vectorsOf(sparse!);
    for (const [n, sequence] of SEQUENCES.entries()) {
      const alone = await engine.run(batchOf([sequence]));
      expect(together[n]).toEqual(vectorsOf(alone.sparse!)[0]);
      expect(together[n]!.size).toBeGreaterThan(0);
    }
  });

  const fromTokens = join(shared, 'models/splade-tiny/model_logits.onnx');
  it.skipIf(!hasShared).each([
    ['pooled by its graph', splade.path],
    ['pooled here', fromTokens],
  ])(`gives the golden weights, %s${without}`, async (_, path) => {
    const { texts } = await golden<{
      texts: { ids: number[]; indices: number[]; values: number[] }[];
    }>('splade');
    const engine = await start({ ...splade, path });
    const { sparse } = await engine.run(batchOf(texts.map(({ ids }) => ids)));
    for (const [n, weights] of vectorsOf(sparse!).entries()) {
      const { indices, values } = texts[n]!;
      expect([...weights.keys()]).toEqual(indices);
      for (const [at, value] of values.entries()) {
        expect(Math.abs(value - weights.get(indices[at]!)!)).toBeLessThan(2e-5);
      }
    }
  });

  it.skipIf(!hasShared)(`is what the graph itself gives where it is quantized${without}`, async () => {
    const { texts } = await golden<{ texts: { ids: number[] }[] }>('splade');
    const path = join(shared, 'models/splade-tiny/model_quantized.onnx');
    // Not compared with the golden weights, because the error of 8 bits depends on the processor's multiplication. Nor
    // for equality: the next layer's 8 bits enlarge a difference in rounding between fusions, which depends on the
    // processor, too.
    const graph = await InferenceSession.create(path, { intraOpNumThreads: 1 });
    const engine = await start({ ...splade, path });
    for (const { ids } of texts) {
      const shape = [1, ids.length];
      const tensor = (values: number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), shape);
      const feeds = {
        input_ids: tensor(ids),
        attention_mask: tensor(ids.map(() => 1)),
        token_type_ids: tensor(ids.map(() => 0)),
      };
      const { sparse_embedding: wanted } = await graph.run(feeds);
      const { sparse } = await engine.run(batchOf([ids]));
      const weights = vectorsOf(sparse!)[0]!;
      const values = [...(wanted!.data as Float32Array).entries()];
      const product = values.reduce((sum, [term, weight]) => sum + (weights.get(term) ?? 0) * weight, 0);
      const lengths = Math.hypot(...values.map(([, weight]) => weight)) * Math.hypot(...weights.values());
      expect(product / lengths).toBeGreaterThan(0.999);
    }
  });

  it.each([13, 17, 18, 21])('is pooled over its real tokens alone, in opset %i', async (opset) => {
    const engine = await startTiny(maskedLanguageModel(opset), { kind: 'sparse', padTokenId: 99 });
    const { sparse } = await engine.run(batchOf([[5, 2], [3], [1, 4, 2]]));
    const term = (id: number): number => Math.fround(Math.log1p(id));
    expect(vectorsOf(sparse!)).toEqual(
      [5, 3, 4].map(
        (largest) =>
          new Map([
            [0, term(largest)],
            [3, term(largest)],
          ]),
      ),
    );
  });

  it('keeps the heaviest terms only', async () => {
    const all = vectorsOf((await (await start(splade)).run(batchOf(SEQUENCES))).sparse!);
    const engine = await start({ ...splade, maxTerms: 5 });
    for (const [n, kept] of vectorsOf((await engine.run(batchOf(SEQUENCES))).sparse!).entries()) {
      const weights = [...all[n]!.values()].sort((a, b) => b - a);
      expect([...kept.values()].sort((a, b) => b - a)).toEqual(weights.slice(0, 5));
    }
  });

  it('is refused where its vocabulary is another', async () => {
    await expect(start({ ...splade, dims: 99 })).rejects.toMatchObject({ code: 'model_corrupt' });
  });
});

describe('a reranker', slow, () => {
  const PAIRS = [
    [1, 2, 3, 4],
    [10, 20],
    [7, 7, 7],
  ];
  const pairs = batchOf(PAIRS, { firstParts: Int32Array.of(2, 1, 3) });

  it('scores pairs by the types of their tokens, whatever the padding', async () => {
    const engine = await startTiny(crossEncoder(), { kind: 'reranker', padTokenId: 99 });
    expect(engine.outputs).toEqual(['score']);
    expect([...(await engine.run(pairs)).scores!]).toEqual([1 + 2 + 2 * (3 + 4), 10 + 2 * 20, 21]);
  });

  it('takes a sequence without parts as one of the first type', async () => {
    const engine = await startTiny(crossEncoder(), { kind: 'reranker', padTokenId: 99 });
    await engine.run(pairs);
    expect([...(await engine.run(batchOf(PAIRS))).scores!]).toEqual([10, 30, 21]);
  });

  it('needs no types where its graph has none', async () => {
    const engine = await startTiny(crossEncoder({ types: false }), { kind: 'reranker', padTokenId: 99 });
    expect([...(await engine.run(pairs)).scores!]).toEqual([10, 30, 21]);
  });

  it('is refused where it gives more than a score', async () => {
    await expect(
      startTiny(crossEncoder({ labels: 3 }), { kind: 'reranker', padTokenId: 0 }),
    ).rejects.toMatchObject({
      code: 'model_corrupt',
      message: expect.stringContaining('3 numbers') as string,
    });
  });
});

/** Tiny exports of today's kinds of models (fixtures/tiny-exports/make.py), compared with ONNX Runtime in Python. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EngineBatch, EngineOutput } from '../engine.ts';
import type { DenseModel, Projection } from './protocol.ts';
import { ModelSession } from './session.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/tiny-exports');
interface Golden {
  ids: number[][];
  vectors: number[][];
  lexical: number[][];
  tokenVectors: number[][];
}
const golden = JSON.parse(readFileSync(join(FIXTURES, 'golden.json'), 'utf8')) as Record<string, Golden>;
const of = (name: string): Golden => golden[name]!;

type Tiny = DenseModel & { dims: number; projections: Projection[] };
const decoder: Tiny = {
  kind: 'dense',
  pooling: 'last',
  padding: 'left',
  normalize: true,
  padTokenId: 0,
  dims: 12,
  path: join(FIXTURES, 'decoder/model.onnx'),
  projections: [{ path: join(FIXTURES, 'decoder/2_Dense/model.safetensors'), activation: 'tanh' }],
};
const projected: Tiny = {
  kind: 'dense',
  pooling: 'mean',
  normalize: true,
  padTokenId: 0,
  dims: 16,
  path: join(FIXTURES, 'projected/model.onnx'),
  projections: ['2_Dense', '3_Dense'].map((module) => ({
    path: join(FIXTURES, 'projected', module, 'model.safetensors'),
    activation: 'identity',
  })),
};
const threeOutputs: Tiny = {
  kind: 'dense',
  pooling: 'cls',
  normalize: true,
  padTokenId: 0,
  dims: 16,
  path: join(FIXTURES, 'three-outputs/model.onnx'),
  projections: [],
  lexical: { path: join(FIXTURES, 'three-outputs/sparse_linear.pt') },
  tokenVectors: { path: join(FIXTURES, 'three-outputs/colbert_linear.pt') },
};
const whole: Tiny = {
  ...threeOutputs,
  pooling: 'graph',
  path: join(FIXTURES, 'three-outputs/whole.onnx'),
  lexical: { output: 'sparse_vecs' },
  tokenVectors: { output: 'colbert_vecs' },
};

const adapted: Tiny = {
  kind: 'dense',
  pooling: 'mean',
  normalize: true,
  padTokenId: 0,
  dims: 16,
  path: join(FIXTURES, 'adapted/model.onnx'),
  projections: [],
  adapterInput: 'task_id',
};

const tuning = { device: { kind: 'cpu', threads: 1 }, graph: { level: 'all', without: [] } } as const;
const load = (model: DenseModel) => ModelSession.load(model, tuning);
const batchOf = (sequences: number[][], outputs: readonly EngineOutput[] = ['dense']): EngineBatch => ({
  ids: Int32Array.from(sequences.flat()),
  lengths: Int32Array.from(sequences, ({ length }) => length),
  urgent: false,
  outputs,
});
const rowsOf = (numbers: Float32Array, dims: number): Float32Array[] =>
  Array.from({ length: numbers.length / dims }, (_, n) => numbers.slice(n * dims, (n + 1) * dims));
const cosine = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from(x).reduce((sum, value, n) => sum + value * y[n]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

describe.each<[string, string, Tiny]>([
  ['a decoder padded on the left, its last token behind a Dense module', 'decoder', decoder],
  ['a decoder padded on the right', 'decoder', { ...decoder, padding: 'right' }],
  ['a mean behind two Dense modules', 'projected', projected],
  ['a mean behind two Dense modules, padded on the left', 'projected', { ...projected, padding: 'left' }],
  ['a first token, beside heads', 'three-outputs', threeOutputs],
  ['a first token, padded on the left', 'three-outputs', { ...threeOutputs, padding: 'left' }],
  ['a graph that pools itself', 'three-outputs', whole],
])('%s', (_name, name, model) => {
  const { ids, vectors } = of(name);

  it('gives the vectors that ONNX Runtime gives in Python, alone and in a batch', async () => {
    const session = await load(model);
    const dims = model.dims;
    const together = rowsOf((await session.run(batchOf(ids))).vectors, dims);
    for (const [n, sequence] of ids.entries()) {
      const alone = (await session.run(batchOf([sequence]))).vectors;
      expect(cosine(alone, vectors[n]!)).toBeGreaterThanOrEqual(0.9999);
      expect(cosine(together[n]!, vectors[n]!)).toBeGreaterThanOrEqual(0.9999);
    }
  });

  it('gives a text the same vector whatever shares its batch', async () => {
    const session = await load(model);
    const some = fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...ids), some, fc.nat(), async (text, others, place) => {
        const at = place % (others.length + 1);
        const batch = batchOf([...others.slice(0, at), text, ...others.slice(at)]);
        const inBatch = rowsOf((await session.run(batch)).vectors, model.dims)[at];
        const alone = (await session.run(batchOf([text]))).vectors;
        if (model.padding !== 'left') expect(inBatch).toEqual(alone);
        else expect(cosine(inBatch!, alone)).toBeGreaterThanOrEqual(1 - 1e-6);
      }),
      { numRuns: 40 },
    );
  });
});

describe('a graph with adapters', () => {
  const { ids } = of('adapted');
  const byAdapter = (of('adapted') as unknown as { vectors: number[][][] }).vectors;

  it('runs each batch with the adapter that it names, the first where it names none', async () => {
    const session = await load(adapted);
    for (const [adapter, vectors] of [[undefined, byAdapter[0]!] as const, ...byAdapter.entries()]) {
      const batch = { ...batchOf(ids), ...(adapter !== undefined && { adapter }) };
      const rows = rowsOf((await session.run(batch)).vectors, adapted.dims);
      for (const [n, row] of rows.entries()) expect(cosine(row, vectors[n]!)).toBeGreaterThanOrEqual(0.9999);
    }
    // The kinds differ by more than the tolerance, so none can pass for another.
    for (let adapter = 1; adapter < byAdapter.length; adapter += 1)
      expect(cosine(byAdapter[0]![0]!, byAdapter[adapter]![0]!)).toBeLessThan(0.99);
  });

  it('is refused where nobody says which input chooses one', async () => {
    await expect(load({ ...adapted, adapterInput: undefined })).rejects.toMatchObject({
      code: 'model_corrupt',
      message: expect.stringMatching(/"task_id".*"adapters"/) as string,
    });
  });
});

describe.each<[string, Tiny]>([
  ['heads in files of their own', threeOutputs],
  ['heads in files of their own, padded on the left', { ...threeOutputs, padding: 'left' }],
  ['outputs of one graph', whole],
])('%s', (_name, model) => {
  const { ids, vectors, lexical, tokenVectors } = of('three-outputs');
  const outputs = ['dense', 'lexical', 'states'] as const;

  it('give dense, lexical and token vectors in one run, as Python has them', async () => {
    const session = await load(model);
    expect(session.outputs).toEqual(expect.arrayContaining([...outputs]));
    const result = await session.run(batchOf(ids, outputs));
    let token = 0;
    for (const [n, { length }] of ids.entries()) {
      expect(cosine(rowsOf(result.vectors, 16)[n]!, vectors[n]!)).toBeGreaterThanOrEqual(0.9999);
      const weights = result.lexical!.slice(token, token + length);
      for (const [at, weight] of lexical[n]!.entries()) expect(weights[at]).toBeCloseTo(weight, 5);
      // Python's output has no vector for the first token.
      const states = result.states!.slice((token + 1) * 16, (token + length) * 16);
      expect(cosine(states, tokenVectors[n]!)).toBeGreaterThanOrEqual(0.9999);
      token += length;
    }
  });

  it('give a text the same alone and in a batch', async () => {
    const session = await load(model);
    const together = await session.run(batchOf(ids, outputs));
    let token = 0;
    for (const sequence of ids) {
      const { length } = sequence;
      const alone = await session.run(batchOf([sequence], outputs));
      const lexicalThere = together.lexical!.slice(token, token + length);
      const statesThere = together.states!.slice(token * 16, (token + length) * 16);
      if (model.padding === 'left') {
        for (const [at, weight] of alone.lexical!.entries()) expect(lexicalThere[at]).toBeCloseTo(weight, 5);
        expect(cosine(statesThere, alone.states!)).toBeGreaterThanOrEqual(1 - 1e-6);
      } else {
        expect(lexicalThere).toEqual(alone.lexical);
        expect(statesThere).toEqual(alone.states);
      }
      token += length;
    }
  });
});

it('the first token of a graph that leaves it out has no vector', async () => {
  const session = await load(whole);
  const { states } = await session.run(batchOf([[1, 5, 6, 2]], ['states']));
  expect([...states!.slice(0, 16)]).toEqual(new Array(16).fill(0));
});

describe('what a model’s entry gets wrong', () => {
  it.each<[string, Tiny, string]>([
    ['a head that the graph lacks', { ...whole, lexical: { output: 'weights' } }, '"weights"'],
    [
      'a layer that is no safetensors file',
      { ...decoder, projections: [{ path: decoder.path, activation: 'tanh' }] },
      'safetensors',
    ],
    [
      'a layer for other token vectors',
      { ...projected, projections: [...decoder.projections, ...decoder.projections] },
      'cannot be loaded',
    ],
    ['another size', { ...decoder, dims: 16 }, '12 numbers'],
  ])('is refused when it is loaded: %s', async (_what, model, words) => {
    await expect(load(model)).rejects.toMatchObject({
      code: 'model_corrupt',
      message: expect.stringContaining(words) as string,
    });
  });

  it('says which file of a layer is missing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-layers-'));
    await cp(decoder.path, join(folder, 'model.onnx'));
    const path = join(folder, '2_Dense.safetensors');
    const model = {
      ...decoder,
      path: join(folder, 'model.onnx'),
      projections: [{ path, activation: 'tanh' as const }],
    };
    await expect(load(model)).rejects.toThrow(path);
    await rm(folder, { recursive: true });
  });
});

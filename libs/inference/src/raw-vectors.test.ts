import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EngineProcess, type EngineBatch, type EngineModel } from './index.ts';

/** Vectors as the model outputs them, of any length, next to normalised ones. */
const int8: EngineModel = {
  kind: 'dense',
  path: fileURLToPath(new URL('../../../models/all-MiniLM-L6-v2/model_int8.onnx', import.meta.url)),
  pooling: 'mean',
  normalize: true,
  padTokenId: 0,
};
const SEQUENCES = Array.from({ length: 12 }, (_, n) => [
  101,
  ...Array.from({ length: 1 + ((n * 37) % 60) }, (__, at) => 1000 + ((n * 7919 + at * 104_729) % 20_000)),
  102,
]);

let engine: EngineProcess;
beforeAll(async () => {
  const entry = new URL('./faulty-engine.ts', import.meta.url);
  engine = await EngineProcess.start({ entry, model: int8, device: { kind: 'cpu', threads: 1 } });
}, 120_000);
afterAll(() => engine?.close());

const batchOf = (sequences: number[][], rest: Partial<EngineBatch> = {}): EngineBatch => ({
  ids: Int32Array.from(sequences.flat()),
  lengths: Int32Array.from(sequences, ({ length }) => length),
  urgent: false,
  ...rest,
});
/** Splits the tokens' numbers, which are concatenated, by sequence. */
const bySequence = (numbers: Float32Array, perToken: number): Float32Array[] => {
  let at = 0;
  return SEQUENCES.map(({ length }) => numbers.slice(at * perToken, (at += length) * perToken));
};

it('an engine gives the vectors raw of those that are asked for so, and no other bit of the rest', async () => {
  const raw = SEQUENCES.map((_, n) => n % 3 === 1);
  const outputs = ['dense', 'states'] as const;
  const plain = await engine.run(batchOf(SEQUENCES, { outputs }));
  const mixed = await engine.run(batchOf(SEQUENCES, { outputs, raw }));
  const rows = ({ vectors }: { vectors: Float32Array }) =>
    SEQUENCES.map((_, n) => vectors.slice(n * 384, (n + 1) * 384));
  for (const [n, vector] of rows(mixed).entries()) {
    const own = rows(plain)[n]!;
    if (raw[n] !== true) {
      expect(vector).toEqual(own);
      expect(bySequence(mixed.states!, 384)[n]).toEqual(bySequence(plain.states!, 384)[n]);
      continue;
    }
    const norm = Math.hypot(...vector);
    expect(Math.abs(norm - 1)).toBeGreaterThan(0.1);
    expect(vector.map((value) => value / norm)).toEqual(own);
    // Pooling is the mean of the token vectors that the graph outputs, which the states now are.
    const tokens = bySequence(mixed.states!, 384)[n]!;
    const mean = Array.from(
      { length: 384 },
      (_, d) =>
        tokens.reduce((sum, value, at) => (at % 384 === d ? sum + value : sum), 0) / (tokens.length / 384),
    );
    for (const [d, value] of mean.entries()) expect(vector[d]).toBeCloseTo(value, 5);
  }
});

it('an engine gives raw the mean that ONNX Runtime gives for the same sequence', async () => {
  const graph = await InferenceSession.create(int8.path, { intraOpNumThreads: 1 });
  const [name = ''] = graph.outputNames;
  for (const ids of SEQUENCES) {
    const tensor = (values: number[]) =>
      new Tensor('int64', BigInt64Array.from(values, BigInt), [1, ids.length]);
    const feeds = {
      input_ids: tensor(ids),
      attention_mask: tensor(ids.map(() => 1)),
      token_type_ids: tensor(ids.map(() => 0)),
    };
    const { [name]: found } = await graph.run(
      Object.fromEntries(Object.entries(feeds).filter(([input]) => graph.inputNames.includes(input))),
      [name],
    );
    expect(found!.dims).toEqual([1, ids.length, 384]);
    const data = found!.data as Float32Array;
    const { vectors } = await engine.run(batchOf([ids], { raw: [true] }));
    for (const [d, value] of vectors.entries()) {
      let sum = 0;
      for (let at = d; at < data.length; at += 384) sum += data[at]!;
      expect(value).toBeCloseTo(sum / ids.length, 5);
    }
  }
});

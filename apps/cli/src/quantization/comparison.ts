/** A quantized model beside the one that it is made from, by what users get of both: the engine's vectors. */
import { availableCpus, type EngineBatch, type EngineProcess } from '@embedmill/inference';
import type { ResolvedModel } from '@embedmill/models';
import { agreementOf, type Agreement } from '@embedmill/quantization';
import { trialEngine } from '../doctor/model-trial.ts';
import { batchesOf } from './token-batches.ts';

export interface Comparison extends Agreement {
  /** Texts that both were given. */
  texts: number;
  /** Texts whose vector has the same bits alone and in a batch, of so many that were tried. */
  invariant: number;
  tried: number;
  tokensPerSecond: { before: number; after: number };
  /** The median of the rounds' ratios. */
  speedup: number;
}

/** Padded tokens of a batch: what suits transformers on a CPU. */
const AREA = 512;
const ROUNDS = 5;
const ALONE = 64;
const DEADLINE_MS = 10 * 60_000;

/** @param sequences token ids of each text, which both read alike */
export async function compare(
  before: ResolvedModel,
  after: ResolvedModel,
  sequences: readonly Uint32Array[],
  signal: AbortSignal,
): Promise<Comparison> {
  const device = { kind: 'cpu', threads: availableCpus() } as const;
  const batches = batchesOf(sequences, AREA);
  const engines = [];
  try {
    for (const model of [before, after]) engines.push(await trialEngine(model, device, DEADLINE_MS));
    const [one, other] = engines;
    if (one === undefined || other === undefined) throw new Error('there are two engines');
    const ratios: number[] = [];
    const rates: { before: number; after: number }[] = [];
    let vectors = { before: new Float32Array(), after: new Float32Array() };
    // The first is not counted: it makes room in memory.
    for (let round = 0; round <= ROUNDS; round += 1) {
      signal.throwIfAborted();
      const [own, others] = [await runAll(one, batches), await runAll(other, batches)];
      vectors = { before: own.vectors, after: others.vectors };
      if (round === 0) continue;
      ratios.push(others.tokensPerSecond / own.tokensPerSecond);
      rates.push({ before: own.tokensPerSecond, after: others.tokensPerSecond });
    }
    const tried = batches.flatMap(({ lengths }) => Array.from(lengths)).length;
    const alone = Math.min(ALONE, tried);
    return {
      ...agreementOf(vectors.before, vectors.after, before.dims),
      texts: sequences.length,
      invariant: await countInvariant(other, batches, vectors.after, { dims: after.dims, most: alone }),
      tried: alone,
      tokensPerSecond: {
        before: median(rates.map((rate) => rate.before)),
        after: median(rates.map((rate) => rate.after)),
      },
      speedup: median(ratios),
    };
  } finally {
    await Promise.all(engines.map((engine) => engine.close()));
  }
}

async function runAll(
  engine: EngineProcess,
  batches: readonly EngineBatch[],
): Promise<{ vectors: Float32Array<ArrayBuffer>; tokensPerSecond: number }> {
  const vectors: number[] = [];
  let [tokens, spent] = [0, 0];
  for (const batch of batches) {
    const { vectors: some, seconds } = await engine.run(batch);
    for (const x of some) vectors.push(x);
    tokens += batch.ids.length;
    spent += seconds;
  }
  return { vectors: Float32Array.from(vectors), tokensPerSecond: tokens / spent };
}

/** How many of the first texts have, alone, the vector that they have in their batches, to the bit. */
async function countInvariant(
  engine: EngineProcess,
  batches: readonly EngineBatch[],
  vectors: Float32Array,
  { dims, most }: { dims: number; most: number },
): Promise<number> {
  let [same, text] = [0, 0];
  for (const { ids, lengths } of batches) {
    let from = 0;
    for (const length of lengths) {
      if (text >= most) return same;
      const alone = { ids: ids.slice(from, from + length), lengths: Int32Array.of(length), urgent: false };
      const { vectors: own } = await engine.run(alone);
      if (own.every((x, d) => x === vectors[text * dims + d])) same += 1;
      from += length;
      text += 1;
    }
  }
  return same;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

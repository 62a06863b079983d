import type { Engine } from '@embedmill/inference';
import { batchOf } from './feeding.ts';

/** How similar the vectors of two files are, and how much a vector depends on the others in its batch. */
export interface Agreement {
  /** The lowest cosine to the other file's vectors, over a sample of texts. */
  minCosine: number;
  /** The lowest cosine between a text's vector computed alone and in a batch. */
  batchCosine: number;
}

export async function embedAlone(engine: Engine, sequences: readonly Int32Array[]): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (const sequence of sequences) vectors.push((await engine.run(batchOf([sequence]))).vectors);
  return vectors;
}

/** In batches of eight, unsorted, so that short ones are padded. */
export async function embedTogether(
  engine: Engine,
  sequences: readonly Int32Array[],
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (let at = 0; at < sequences.length; at += 8) {
    const some = sequences.slice(at, at + 8);
    const run = await engine.run(batchOf(some));
    for (const row of some.keys())
      vectors.push(run.vectors.subarray(row * engine.dims, (row + 1) * engine.dims));
  }
  return vectors;
}

export function compareVectors(
  reference: readonly Float32Array[],
  alone: readonly Float32Array[],
  together: readonly Float32Array[],
): Agreement {
  return { minCosine: leastCosine(reference, alone), batchCosine: leastCosine(alone, together) };
}

function leastCosine(some: readonly Float32Array[], others: readonly Float32Array[]): number {
  return some.reduce(
    (least, vector, n) => Math.min(least, cosine(vector, others[n] ?? new Float32Array())),
    1,
  );
}

function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return 0;
  let [dot, ofA, ofB] = [0, 0, 0];
  for (const [d, x] of a.entries()) {
    const y = b[d] ?? 0;
    dot += x * y;
    ofA += x * x;
    ofB += y * y;
  }
  return dot === 0 ? 0 : dot / Math.sqrt(ofA * ofB);
}

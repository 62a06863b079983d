import type { Lane } from '@embedmill/batching';
import type { EngineBatch, EngineOutput, EngineResult } from '@embedmill/inference';
import { EmbedmillError, type SparseVector } from '@embedmill/jobs';
import type { Entry, Outcome } from './sequence-window.ts';

/** Concatenates entries to an engine's batch. The outputs that one of them requests are computed for all. */
export function packedBatch(entries: readonly Entry[], lane: Lane): EngineBatch {
  const lengths = Int32Array.from(entries, ({ length }) => length);
  const ids = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const entry of entries) {
    ids.set(entry.ids, at);
    at += entry.length;
  }
  const texts = entries.flatMap(({ text }) => text ?? []);
  const outputs = outputsOf(entries);
  const pairs = entries.some(({ firstPart }) => firstPart !== undefined);
  const forms = entries.some(({ tokenVectors }) => tokenVectors !== undefined);
  const adapter = entries[0]?.adapter;
  const states = entries.some(
    ({ outputs: own, tokenVectors }) => tokenVectors === undefined && own?.includes('states') === true,
  );
  const raw = entries.map((entry) => entry.raw === true);
  const pictures = entries.flatMap(({ pixels }) => pixels ?? []);
  return {
    ids,
    lengths,
    urgent: lane === 'interactive',
    ...(texts.length === entries.length && { texts }),
    ...(outputs !== undefined && { outputs }),
    ...(adapter !== undefined && { adapter }),
    ...(forms && { tokenVectors: entries.map(({ tokenVectors }) => tokenVectors) }),
    ...(forms && states && { wholeStates: true }),
    ...(raw.includes(true) && { raw }),
    ...(pictures.length > 0 && { pixels: Buffer.concat(pictures) }),
    ...(pairs && {
      firstParts: Int32Array.from(entries, ({ firstPart, length }) => firstPart ?? length),
    }),
  };
}

function outputsOf(entries: readonly Entry[]): EngineOutput[] | undefined {
  const wanted = new Set<EngineOutput>();
  for (const { outputs } of entries) for (const output of outputs ?? []) wanted.add(output);
  if (wanted.size === 0) return undefined;
  // Entries without requested outputs get the default one, and only dense models have others.
  if (entries.some(({ outputs }) => outputs === undefined)) wanted.add('dense');
  return [...wanted];
}

/** The outcome of each of the batch's sequences, in order. */
export function* outcomesOf(
  { vectors, attention, states, stateDims = 0, tokenVectors, lexical, sparse, scores }: EngineResult,
  { lengths }: EngineBatch,
  dims: number,
): Generator<Outcome, undefined> {
  let token = 0;
  let term = 0;
  for (const [row, length] of lengths.entries()) {
    const vector = vectors.subarray(row * dims, (row + 1) * dims);
    const terms = sparse?.lengths[row] ?? 0;
    const embedding = {
      vector,
      attention: attention?.subarray(token, token + length),
      states: states?.subarray(token * stateDims, (token + length) * stateDims),
      lexical: lexical?.subarray(token, token + length),
      tokenVectors: tokenVectors?.[row],
      sparse: sparse && sparseOf(sparse, term, term + terms),
      score: scores?.[row],
    };
    token += length;
    term += terms;
    const isFinite =
      isFiniteVector(vector) &&
      isFiniteVector(embedding.sparse?.values) &&
      isFiniteVector(embedding.attention) &&
      isFiniteVector(embedding.lexical) &&
      Number.isFinite(embedding.score ?? 0);
    yield isFinite ? { ok: true, ...embedding } : { ok: false, error: notFinite() };
  }
}

function sparseOf(
  { indices, values }: NonNullable<EngineResult['sparse']>,
  from: number,
  to: number,
): SparseVector {
  return { indices: indices.subarray(from, to), values: values.subarray(from, to) };
}

function notFinite(): EmbedmillError {
  const message = 'the model gave a vector with a number that is not finite; is it right for this device?';
  return new EmbedmillError('engine_failed', message);
}

/** Runs for every vector, so it calls no function per number: only for a non-finite number, x − x is not 0. */
function isFiniteVector(vector: Float32Array | undefined): boolean {
  if (vector === undefined) return true;
  for (let d = 0; d < vector.length; d += 1) {
    const value = vector[d] ?? 0;
    if (value - value !== 0) return false;
  }
  return true;
}

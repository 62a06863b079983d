import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbedmillError, type TokenVectors } from '@embedmill/jobs';
import { pooledTokens, shortened } from '@embedmill/retrieval';
import type { EngineBatch, EngineOutput, EngineResult, TokenVectorForm } from '../engine.ts';
import { AS_FLOAT32, MAX_LOGITS, SEQUENCE_OUTPUTS, tokenOutput } from './output-graph.ts';
import { averageHeads, averageRows, normalizeRows, withoutPadding } from './pooling.ts';
import type { DenseModel, EngineModel, TokenHead } from './protocol.ts';
import { ATTENTION, LEXICAL, POOLED, TOKEN_VECTORS } from './sequence-graph.ts';
import { heaviestTerms, saturate } from './terms.ts';

/** What a model gives, the usual first, each with the tensor of its graph that it is read from. */
export type OutputNames = ReadonlyMap<EngineOutput, string>;

/**
 * Outputs to take dense vectors from, best first. `text_embeds` is a text tower's, in the space of its images; behind
 * POOLED are those of models that pool by themselves, whose float32 copy is of another element in the graph.
 */
const DENSE_OUTPUTS = ['text_embeds', POOLED, AS_FLOAT32, ...SEQUENCE_OUTPUTS];

const DEFAULT_MAX_TERMS = 256;

/** Throws `model_corrupt` for a graph that does not give what its kind of model should. */
export function outputNames(
  model: EngineModel,
  metadata: readonly InferenceSession.ValueMetadata[],
): OutputNames {
  const outputs = metadata.flatMap((output) =>
    output.isTensor && output.type === 'float32' ? [{ name: output.name, rank: output.shape.length }] : [],
  );
  const rows = outputs.filter(({ rank }) => rank === 2).map(({ name }) => name);
  const first = (...names: string[]) => names.find((name) => rows.includes(name)) ?? rows[0];
  switch (model.kind) {
    case 'dense': {
      const dense = first(...DENSE_OUTPUTS);
      if (dense === undefined) throw unfit('token or sequence vectors', metadata);
      const names = new Map<EngineOutput, string>([['dense', dense]]);
      const isFromTokens = dense === POOLED || model.pooling === 'graph';
      const states =
        headOutput(model.tokenVectors, TOKEN_VECTORS, metadata) ??
        (isFromTokens ? tokenOutput(outputs)?.name : undefined);
      if (states !== undefined) names.set('states', states);
      if (outputs.some(({ name }) => name === ATTENTION)) names.set('attention', ATTENTION);
      const lexical = headOutput(model.lexical, LEXICAL, metadata);
      if (lexical !== undefined) names.set('lexical', lexical);
      return names;
    }
    case 'sparse': {
      const sparse = first(MAX_LOGITS, AS_FLOAT32);
      if (sparse === undefined) throw unfit('logits by token, or weights of terms', metadata);
      return new Map([['sparse', sparse]]);
    }
    case 'reranker': {
      const score = first(AS_FLOAT32);
      if (score === undefined) throw unfit('a logit by pair', metadata);
      return new Map([['score', score]]);
    }
  }
}

/** The output that a model's head is read from. Throws `model_corrupt` where the graph has no such output. */
function headOutput(
  head: TokenHead | undefined,
  added: string,
  metadata: readonly InferenceSession.ValueMetadata[],
): string | undefined {
  if (head === undefined) return undefined;
  const name = 'output' in head ? head.output : added;
  const isThere = metadata.some(
    (output) => output.name === name && output.isTensor && output.type === 'float32',
  );
  if (isThere) return name;
  throw unfit(`${JSON.stringify(name)}, float32 by token`, metadata);
}

/** Numbers in a dense vector, 0 for other kinds, by the model's usual output. Throws `model_corrupt` for a wrong size. */
export function dimsOf(model: EngineModel, tensor: Tensor | undefined): number {
  const width = tensor?.dims.at(-1) ?? 0;
  const wanted = model.kind === 'reranker' ? 1 : model.dims;
  if (wanted !== undefined && wanted !== width) {
    throw new EmbedmillError(
      'model_corrupt',
      model.kind === 'reranker'
        ? `the model gives ${width} numbers per pair, but a reranker gives one, its score`
        : `the model gives vectors of ${width} numbers, but its entry says ${wanted}`,
    );
  }
  return model.kind === 'dense' ? width : 0;
}

/** What a tensor holds for the real tokens and sequences of a batch, copied out of it. */
export function readOutput(
  output: EngineOutput,
  tensor: Tensor,
  name: string,
  { lengths, raw, tokenVectors, wholeStates }: EngineBatch,
  model: EngineModel,
): Partial<EngineResult> {
  const isLeft = model.kind === 'dense' && model.padding === 'left';
  const data = tensor.data as Float32Array;
  const width = tensor.dims.at(-1) ?? 0;
  switch (output) {
    case 'dense': {
      const vectors = data.slice();
      if (model.kind !== 'dense') return { vectors };
      if (name === POOLED && isSummed(model)) averageRows(vectors, lengths, width);
      return { vectors: model.normalize ? normalizeRows(vectors, width, raw) : vectors };
    }
    case 'attention': {
      const [, heads = 1] = tensor.dims;
      return { attention: averageHeads(data, lengths, heads, width) };
    }
    case 'states': {
      const states = withoutPadding(data, lengths, { longest: tensor.dims[1] ?? 0, dims: width, isLeft });
      const kept = tokenVectors && { tokenVectors: formed(states, width, lengths, tokenVectors) };
      if (kept !== undefined && wholeStates !== true) return kept;
      const rawTokens = raw?.flatMap((isRaw, n) => Array.from({ length: lengths[n] ?? 0 }, () => isRaw));
      return { ...kept, states: normalizeRows(states, width, rawTokens), stateDims: width };
    }
    case 'lexical': {
      const [sequences = 1, longest = 1] = tensor.dims;
      const dims = data.length / (sequences * longest);
      const rows = withoutPadding(data, lengths, { longest, dims, isLeft });
      const tokens = rows.length / dims;
      return { lexical: Float32Array.from({ length: tokens }, (_, n) => Math.max(0, rows[n * dims] ?? 0)) };
    }
    case 'sparse': {
      const maxTerms = model.kind === 'sparse' ? model.maxTerms : undefined;
      const sparse = heaviestTerms(data, width, maxTerms ?? DEFAULT_MAX_TERMS);
      if (name === MAX_LOGITS) saturate(sparse);
      return { sparse };
    }
    case 'score':
      return { scores: data.slice() };
  }
}

/** Whether POOLED has sums: means are made of them here, unless layers of the graph needed them. */
function isSummed({ pooling, projections = [] }: DenseModel): boolean {
  return pooling === 'mean' && projections.length === 0;
}

/** The token vectors of each sequence in the form that is wanted of it, of those of all. */
function formed(
  states: Float32Array,
  width: number,
  lengths: Int32Array,
  forms: readonly (TokenVectorForm | undefined)[],
): (TokenVectors | undefined)[] {
  let from = 0;
  return forms.map((form, n) => {
    const own = states.subarray(from * width, (from + (lengths[n] ?? 0)) * width);
    from += lengths[n] ?? 0;
    return form && tokenVectorsOf(own, width, form);
  });
}

function tokenVectorsOf(
  states: Float32Array,
  width: number,
  { dims, poolFactor, start, end }: TokenVectorForm,
): TokenVectors {
  const tokens = Math.max(0, states.length / width - start - end);
  const rows = new Float32Array(tokens * dims);
  for (let token = 0; token < tokens; token += 1) {
    const from = (start + token) * width;
    rows.set(shortened(states.subarray(from, from + width), dims), token * dims);
  }
  return pooledTokens(normalizeRows(rows, dims), dims, poolFactor);
}

function unfit(what: string, metadata: readonly InferenceSession.ValueMetadata[]): EmbedmillError {
  const names = metadata.map(({ name }) => name).join(', ');
  return new EmbedmillError('model_corrupt', `the model has no output of ${what}; its outputs are ${names}`);
}

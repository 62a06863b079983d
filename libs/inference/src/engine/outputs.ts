import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbedmillError, type TokenVectors } from '@embedmill/jobs';
import { pooledTokens, shortened } from '@embedmill/retrieval';
import type { EngineBatch, EngineOutput, EngineResult, TokenVectorForm } from '../engine.ts';
import { AS_FLOAT32, MAX_LOGITS, SEQUENCE_OUTPUTS, tokenOutput } from './output-graph.ts';
import { averageHeads, averageRows, normalizeRows, withoutPadding } from './pooling.ts';
import type { DenseModel, EngineModel, TokenHead } from './protocol.ts';
import { ATTENTION, LEXICAL, POOLED, TOKEN_VECTORS } from './sequence-graph.ts';
import { heaviestTerms, saturate } from './terms.ts';

/** A model's outputs, the main one first, each with the tensor of the graph that it is read from. */
export type OutputNames = ReadonlyMap<EngineOutput, string>;

/**
 * Names of outputs with dense vectors, best first. `text_embeds` is a text tower's, in the same space as its images.
 * After POOLED come the outputs of models that pool themselves; they need a float32 copy if the graph has another
 * element type.
 */
const DENSE_OUTPUTS = ['text_embeds', POOLED, AS_FLOAT32, ...SEQUENCE_OUTPUTS];

const DEFAULT_MAX_TERMS = 256;

/** Throws `model_corrupt` for a graph without the outputs of its kind of model. */
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

/** The output that a model's head is read from. Throws `model_corrupt` if the graph has no such output. */
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

/**
 * The dimensions of a dense vector, by the model's main output; 0 for other kinds. Throws `model_corrupt` for a wrong
 * size.
 */
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

/** Copies the values of a batch's real tokens and sequences out of a tensor. */
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

/** Whether POOLED has sums. They become means here, unless layers of the graph needed the means. */
function isSummed({ pooling, projections = [] }: DenseModel): boolean {
  return pooling === 'mean' && projections.length === 0;
}

/** Reduces each sequence's token vectors to its requested form. */
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

/**
 * A fake of a worker's answers, for tests of the API: derived only from the texts' words, with the contracts' types.
 */
import type {
  DenseResult,
  Query,
  QueryOf,
  QueryResult,
  QuestionTokens,
  SparseVector,
  TextToken,
} from '@embedmill/jobs';
import type { ModelSummary } from '@embedmill/models';
import { asBytes } from '@embedmill/retrieval';

export const MINI: ModelSummary = {
  name: 'all-MiniLM-L6-v2',
  kind: 'dense',
  dims: 384,
  matryoshka: [],
  maxTokens: 256,
  attentions: true,
  lexical: false,
  tokenVectors: true,
  prompts: {},
  images: false,
  pooling: 'mean',
  bundled: true,
  local: false,
  available: true,
  license: 'Apache-2.0',
};
export const NESTED: ModelSummary = {
  ...MINI,
  name: 'nested',
  dims: 8,
  matryoshka: [4, 2],
  attentions: false,
  bundled: false,
  available: false,
  prompts: { STS: 'alike: ', 'retrieval.query': 'find: ' },
  instructionPrefix: 'Instruct: {instruction}\nQuery:',
};
export const SPARSE: ModelSummary = {
  ...MINI,
  name: 'splade-tiny',
  kind: 'sparse',
  tokenVectors: false,
  dims: 1000,
  maxTokens: 16,
  attentions: false,
};
export const JUDGE: ModelSummary = {
  ...MINI,
  name: 'judge',
  kind: 'reranker',
  tokenVectors: false,
  dims: 1,
  maxTokens: 16,
  attentions: false,
};
/** A static embedding. */
export const FLAT: ModelSummary = { ...NESTED, name: 'flat', tokenVectors: false };
export const MODELS = [MINI, NESTED, SPARSE, JUDGE, FLAT];

/** The answer of a worker that serves the model. */
export function fakeAnswer(query: Query, model: ModelSummary): QueryResult {
  switch (query.task) {
    case 'embed':
      return fakeVectors(query, model.dims);
    case 'images':
      return fakeVectors({ inputs: query.inputs, role: 'document' }, model.dims);
    case 'sparse':
      return { vectors: query.inputs.map(fakeTerms), ...readingOf(query.inputs, model.maxTokens) };
    case 'rerank':
      return {
        scores: Float32Array.from(query.inputs, (text) => sharedWords(query.query, text)),
        kind: model.kind === 'reranker' ? 'logit' : 'interaction',
        query: {
          truncated: query.query.split(' ').length > model.maxTokens,
          unknown: isUnknown(query.query),
        },
        ...readingOf(query.inputs, model.maxTokens),
      };
    case 'tokens':
      return {
        questions: query.inputs.map((text) => fakeTokenVectors(text, query.dims)),
        dense: fakeVectors({ ...query, role: 'query' }, model.dims),
        ...readingOf(query.inputs, model.maxTokens),
      };
    case 'terms':
      return { terms: query.inputs.map((id) => `term ${id}`) };
    case 'states': {
      const reading = readingOf(query.inputs, model.maxTokens);
      const value = query.normalize === false ? 0.5 : 1 / Math.sqrt(model.dims);
      const states = reading.tokens.map((count) => new Float32Array(count * model.dims).fill(value));
      return { dims: model.dims, states, ...reading };
    }
    case 'tokenize':
      return { found: query.inputs.map((text) => fakeTokens(text, query.special)) };
    case 'detokenize':
      return { texts: query.inputs.map((ids) => ids.map((id) => `word${id}`).join(' ')) };
  }
}

/** The length of every raw vector. */
export const FAKE_LENGTH = 4;

/** A vector that depends on the text and its role, or on the prefix instead; one token per word. */
export function fakeVectors(
  {
    inputs,
    role,
    prefix,
    normalize = true,
  }: Pick<QueryOf<'embed'>, 'inputs' | 'role' | 'prefix' | 'normalize'>,
  dims: number,
): DenseResult {
  const vectors = new Float32Array(inputs.length * dims);
  inputs.forEach((input, index) => {
    const vector = fakeVector(JSON.stringify([input, prefix ?? role]), dims);
    vectors.set(normalize ? vector : vector.map((value) => value * FAKE_LENGTH), index * dims);
  });
  return { dims, vectors, ...readingOf(inputs, MINI.maxTokens) };
}

/** One token per word, derived from its letters. */
function fakeTokens(text: string, special: boolean): TextToken[] {
  const around = (id: number): TextToken[] =>
    special ? [{ id, text: `[${id}]`, special: true, start: null, stop: null }] : [];
  const words = [...text.matchAll(/\S+/g)].map(({ 0: word, index }): TextToken => {
    const start = Buffer.byteLength(text.slice(0, index));
    const stop = start + Buffer.byteLength(word);
    return { id: word.length, text: word, special: false, start, stop };
  });
  return [...around(101), ...words, ...around(102)];
}

/** One term per word, derived from its letters. */
export function fakeTerms(text: string): SparseVector {
  const ids = new Set(
    text.split(' ').map((word) => [...word].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)),
  );
  const indices = Uint32Array.from(ids).sort();
  return { indices, values: new Float32Array(indices.length).fill(1) };
}

/** Pictographs are unknown. */
const isUnknown = (text: string): boolean => /^[\p{Extended_Pictographic}\s]+$/u.test(text);

/** One token per word, independent of its position. */
export function fakeTokenVectors(text: string, dims: number): QuestionTokens {
  const words = [...text.matchAll(/\S+/g)];
  return {
    vectors: asBytes(Float32Array.from(words.flatMap(([word]) => [...fakeVector(word, dims)])), dims),
    places: Int32Array.from(words, ({ index }) => index),
  };
}

/** The share of the query's words in the text, from 0 to 1. */
function sharedWords(query: string, text: string): number {
  const words = query.split(' ');
  return words.filter((word) => text.split(' ').includes(word)).length / words.length;
}

function readingOf(inputs: readonly (string | number[])[], maxTokens: number) {
  const tokens = inputs.map((input) => (typeof input === 'string' ? input.split(' ').length : input.length));
  return {
    tokens,
    truncated: tokens.map((count) => count > maxTokens),
    unknown: inputs.map((input) => typeof input === 'string' && isUnknown(input)),
  };
}

function fakeVector(seed: string, dims: number): Float32Array {
  let state = [...seed].reduce((sum, char) => (Math.imul(sum, 31) + (char.codePointAt(0) ?? 0)) | 0, 7);
  const vector = Float32Array.from({ length: dims }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return state / 2 ** 31;
  });
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

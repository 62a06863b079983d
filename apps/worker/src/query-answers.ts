import type { Embedding, Encoder, Outcome, Sequence } from '@embedmill/embed/pipeline';
import type { EngineOutput } from '@embedmill/inference';
import { resolveImage } from '@embedmill/images';
import {
  EmbedmillError,
  type InputReading,
  type Query,
  type QueryOf,
  type QueryResult,
} from '@embedmill/jobs';
import { lateInteraction, tokenWeights } from '@embedmill/retrieval';
import type { EncodedText, Tokenizer } from '@embedmill/tokenization';
import type { ImageTower } from './image-tower.ts';
import { NO_TOKENS, type InputReader, type ReadText } from './input-reader.ts';
import { assertOutputs } from './model-outputs.ts';
import type { ResolvedTokenizer } from '@embedmill/models';
import { NO_TERMS, tokenTerms } from './token-terms.ts';
import { saysNothing } from './unknown-text.ts';

const NO_VECTOR = new Float32Array();
const NO_OFFSETS: EncodedText = { ids: new Int32Array(), tokens: 0, truncated: false };

export interface AnsweringParts {
  model: Pick<ResolvedTokenizer, 'name' | 'kind'>;
  weighsTokens: boolean;
  tokenizer: Tokenizer;
  inputs: InputReader;
  encoder: Encoder;
  images: ImageTower | undefined;
}

/** Answers the queries to a served model, all in the interactive lane, which does not wait behind bulk work. */
export class QueryAnswers {
  readonly #model: AnsweringParts['model'];
  readonly #weighsTokens: boolean;
  readonly #tokenizer: Tokenizer;
  readonly #inputs: InputReader;
  readonly #encoder: Encoder;
  readonly #images: ImageTower | undefined;

  constructor({ model, weighsTokens, tokenizer, inputs, encoder, images }: AnsweringParts) {
    this.#model = model;
    this.#weighsTokens = weighsTokens;
    this.#tokenizer = tokenizer;
    this.#inputs = inputs;
    this.#encoder = encoder;
    this.#images = images;
  }

  /** Executes a query. Errors: `overloaded`, and those of the engine. */
  async answer(query: Query): Promise<QueryResult> {
    switch (query.task) {
      case 'embed':
        return this.#embed(query);
      case 'images':
        return this.#embedImages(query);
      case 'sparse':
        return this.#weighTerms(query);
      case 'rerank':
        return this.#model.kind === 'reranker' ? this.#judge(query) : this.#interact(query);
      case 'tokens':
        return this.#readTokens(query);
      case 'terms':
        return { terms: query.inputs.map((id) => termOf(this.#tokenizer.tokenText(id), id)) };
      case 'states':
        return this.#embedTokens(query);
      case 'tokenize':
        return this.#tokenize(query);
      case 'detokenize':
        return this.#detokenize(query);
    }
  }

  async #embed({ lexical, ...asked }: QueryOf<'embed'>): Promise<QueryResult<'embed'>> {
    const sequences = await this.#inputs.readQuery(asked);
    const embeddings = await this.#encode(sequences, lexical === true ? ['dense', 'lexical'] : ['dense']);
    const reading = readingOf(sequences);
    const terms =
      lexical === true && embeddings.map((one, n) => tokenTerms(this.#tokenizer, sequences[n], one));
    return {
      ...packed(embeddings, this.#encoder.dims),
      ...(terms && { terms }),
      ...reading,
      unknown: unknownOf(reading, embeddings),
    };
  }

  /** The vectors of single tokens, for late interaction. */
  async #embedTokens(asked: QueryOf<'states'>): Promise<QueryResult<'states'>> {
    const sequences = await this.#inputs.readQuery(asked);
    const embeddings = await this.#encode(sequences, ['states']);
    const states = embeddings.map((one) => one.states ?? NO_VECTOR);
    // Some models' token vectors have another size than their text vectors.
    const dims = (states[0]?.length ?? 0) / Math.max(1, sequences[0]?.ids.length ?? 0);
    return { dims, states, ...readingOf(sequences) };
  }

  async #tokenize({ inputs, special, ...asked }: QueryOf<'tokenize'>): Promise<QueryResult<'tokenize'>> {
    return { found: await this.#tokenizer.tokensOf(inputs, await this.#inputs.promptOf(asked), special) };
  }

  async #detokenize({ inputs, special }: QueryOf<'detokenize'>): Promise<QueryResult<'detokenize'>> {
    for (const [n, ids] of inputs.entries()) this.#inputs.refuseStrange(ids, `inputs/${n}`);
    return { texts: await Promise.all(inputs.map((ids) => this.#tokenizer.decode(ids, { special }))) };
  }

  async #embedImages({ inputs }: QueryOf<'images'>): Promise<QueryResult<'images'>> {
    const images = this.#images;
    if (images === undefined) {
      const message = `${this.#model.name} does not read images; search a collection whose model does`;
      throw new EmbedmillError('invalid_request', message);
    }
    const outcomes = await Promise.all(
      inputs.map(async (image) => images.embed(await resolveImage(image, {}), 'interactive')),
    );
    const none = inputs.map(() => false);
    const reading = { tokens: inputs.map(() => 0), truncated: none, unknown: none };
    return { ...packed(outcomes.map(embeddingOf), images.dims), ...reading };
  }

  async #weighTerms({ inputs, keep, ...asked }: QueryOf<'sparse'>): Promise<QueryResult<'sparse'>> {
    const sequences = await this.#inputs.read(inputs, await this.#inputs.promptOf(asked), keep);
    if (this.#weighsTokens) {
      const embeddings = await this.#encode(sequences, ['lexical']);
      const vectors = embeddings.map((one, n) => tokenTerms(this.#tokenizer, sequences[n], one));
      return { vectors, ...readingOf(sequences) };
    }
    const embeddings = await this.#encode(sequences, ['sparse']);
    return { vectors: embeddings.map(({ sparse }) => sparse ?? NO_TERMS), ...readingOf(sequences) };
  }

  /** A cross-encoder reads the query with each text. */
  async #judge({ query, inputs }: QueryOf<'rerank'>): Promise<QueryResult<'rerank'>> {
    const before = await this.#inputs.promptOf({ role: 'query' });
    const [asked = NO_TOKENS] = await this.#inputs.read([query], before);
    const pairs = await this.#tokenizer.encodePairs(query, inputs);
    const embeddings = await this.#encode(pairs, ['score']);
    const scores = Float32Array.from(embeddings, ({ score = 0 }) => score);
    return {
      scores,
      kind: 'logit',
      query: { truncated: asked.truncated, unknown: asked.unknown },
      ...readingOf(pairs),
    };
  }

  /** Compares a dense model's token vectors of the query with those of each text. */
  async #interact({ query, prefix, inputs, emphasis }: QueryOf<'rerank'>): Promise<QueryResult<'rerank'>> {
    const before = await this.#inputs.promptOf({ role: 'query', prefix });
    const [asked = NO_OFFSETS] = await this.#tokenizer.encode([query], before, { offsets: true });
    const sequences = await this.#inputs.read(inputs, await this.#inputs.promptOf({ role: 'document' }));
    const { adapter } = before;
    const [question, ...answers] = await this.#encode([{ ...asked, adapter }, ...sequences], ['states']);
    const dims = (question?.states?.length ?? 0) / Math.max(1, asked.ids.length);
    const statesOf = ({ states = new Float32Array() }: Partial<Embedding>) => {
      const { start, end } = this.#tokenizer;
      // Special tokens represent no word.
      return states.subarray(start.length * dims, states.length - end.length * dims);
    };
    const own = statesOf(question ?? {});
    const weights = tokenWeights(this.#inputs.placesOf(asked), emphasis);
    const scores = Float32Array.from(answers, (answer) =>
      lateInteraction(own, weights, statesOf(answer), dims),
    );
    const { truncated } = asked;
    const unknown = !this.#tokenizer.knows(asked.ids, before);
    return { scores, kind: 'interaction', query: { truncated, unknown }, ...readingOf(sequences) };
  }

  /** The tokens of questions, for late interaction with stored ones. */
  async #readTokens({ inputs, prefix, dims }: QueryOf<'tokens'>): Promise<QueryResult<'tokens'>> {
    const before = await this.#inputs.promptOf({ role: 'query', prefix });
    const encoded = await this.#tokenizer.encode(inputs, before, { offsets: true });
    const { start, end } = this.#tokenizer;
    const form = { dims, poolFactor: 1, start: start.length, end: end.length };
    const { adapter } = before;
    const sequences = encoded.map((text) => ({ ...text, adapter, tokenVectors: form }));
    const embeddings = await this.#encode(sequences, ['dense', 'states']);
    const reading = readingOf(
      encoded.map((text) => ({ ...text, unknown: !this.#tokenizer.knows(text.ids, before) })),
    );
    return {
      dense: packed(embeddings, this.#encoder.dims),
      questions: encoded.map((text, n) => ({
        vectors: embeddings[n]?.tokenVectors ?? new Int8Array(),
        places: this.#inputs.placesOf(text),
      })),
      ...reading,
      unknown: unknownOf(reading, embeddings),
    };
  }

  async #encode(sequences: readonly Sequence[], outputs: readonly EngineOutput[]): Promise<Embedding[]> {
    assertOutputs({ name: this.#model.name, outputs: this.#encoder.outputs }, outputs, 'invalid_request');
    return (await this.#encoder.encode(sequences, 'interactive', outputs)).map(embeddingOf);
  }
}

/** A term of a network's vocabulary as a word: without the marks that tokenizers put on pieces. */
function termOf(token: string | undefined, id: number): string {
  return token?.replace(/^##|^[▁Ġ]/u, '') ?? `#${id}`;
}

function embeddingOf(outcome: Outcome): Embedding {
  if (!outcome.ok) throw outcome.error;
  return outcome;
}

function packed(embeddings: readonly Embedding[], dims: number): { dims: number; vectors: Float32Array } {
  const vectors = new Float32Array(dims * embeddings.length);
  for (const [n, { vector }] of embeddings.entries()) vectors.set(vector, n * dims);
  return { dims, vectors };
}

/** Whether each text is meaningless to the model: none of its tokens is known, or its vector has no direction. */
function unknownOf({ unknown }: InputReading, embeddings: readonly Embedding[]): boolean[] {
  return unknown.map((isUnknown, n) => isUnknown || saysNothing(embeddings[n]?.vector ?? NO_VECTOR));
}

function readingOf(sequences: readonly Pick<ReadText, 'ids' | 'truncated' | 'unknown'>[]): InputReading {
  return {
    tokens: sequences.map(({ ids }) => ids.length),
    truncated: sequences.map(({ truncated }) => truncated),
    unknown: sequences.map(({ unknown }) => unknown),
  };
}

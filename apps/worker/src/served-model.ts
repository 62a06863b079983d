import type { Lane } from '@embedmill/batching';
import {
  Encoder,
  type EncoderHooks,
  type Embedding,
  type Outcome,
  type Sequence,
} from '@embedmill/embed/pipeline';
import type { EngineOutput, TokenVectorForm } from '@embedmill/inference';
import { resolveImage } from '@embedmill/images';
import {
  EmbedmillError,
  type Chunking,
  type Document,
  type Query,
  type QueryOf,
  type QueryResult,
  type InputReading,
  type SparseVector,
} from '@embedmill/jobs';
import type { ResolvedTokenizer } from '@embedmill/models';
import { lateInteraction, tokenWeights } from '@embedmill/retrieval';
import { chunkStructured, Tokenizer, type ChunkedDocument, type EncodedText } from '@embedmill/tokenization';
import type { EngineSet } from './engines.ts';
import { imageArea, ImageTower } from './image-tower.ts';
import { InputReader, NO_TOKENS, type PromptedInput, type ReadText } from './input-reader.ts';
import { saysNothing } from './unknown-text.ts';

/** The model's facts, and the revision that its vectors depend on. */
export type ServedEntry = ResolvedTokenizer & { revision: string };

export interface ServedModelOptions extends EncoderHooks {
  /** Called once the tokenizer is there. */
  start: () => Promise<EngineSet>;
}

/** What came of an input. */
export type InputOutcome =
  | { ok: true; vector: Float32Array; tokens: number; truncated: boolean; unknown: boolean }
  | { ok: false; error: EmbedmillError };

/** What a run of the model gives beside the dense vector. */
export interface Beside {
  attention?: boolean;
  lexical?: boolean;
  /** How token vectors are kept. */
  tokenVectors?: Pick<TokenVectorForm, 'dims' | 'poolFactor'> | undefined;
}

/** Images of one batch at most. */
const IMAGE_BATCH = 8;
const NO_VECTOR = new Float32Array();
const NO_OFFSETS: EncodedText = { ids: new Int32Array(), tokens: 0, truncated: false };
const NO_TERMS: SparseVector = { indices: new Uint32Array(), values: new Float32Array() };

/**
 * A model that this worker serves: its tokenizer, and its engines behind the encoder. One a model and process,
 * from `load` until `close`; shards and queries share it.
 */
export class ServedModel {
  readonly name: string;
  /** What vectors depend on: another revision is another model. */
  readonly revision: string;
  readonly encoder: Encoder;
  /** The part that reads images, of models that do. */
  readonly images: ImageTower | undefined;
  /** Whether it weighs its tokens as words: it gives sparse vectors beside its dense ones. */
  readonly weighsTokens: boolean;
  readonly #kind: ServedEntry['kind'];
  readonly #tokenizer: Tokenizer;
  /** Whether engines embed texts instead of tokens. */
  readonly #readsTexts: boolean;
  readonly #inputs: InputReader;

  private constructor(
    model: ServedEntry,
    tokenizer: Tokenizer,
    parts: { encoder: Encoder; images: ImageTower | undefined; readsTexts: boolean },
  ) {
    this.name = model.name;
    this.revision = model.revision;
    this.encoder = parts.encoder;
    this.images = parts.images;
    this.weighsTokens = model.kind === 'dense' && model.lexical !== undefined;
    this.#kind = model.kind;
    this.#tokenizer = tokenizer;
    this.#readsTexts = parts.readsTexts;
    const adapters = model.kind === 'dense' ? model.adapters : undefined;
    this.#inputs = new InputReader(model.name, tokenizer, { adapters, readsTexts: parts.readsTexts });
  }

  /** Errors: `model_unavailable`, `model_corrupt`. */
  static async load(model: ServedEntry, { start, ...hooks }: ServedModelOptions): Promise<ServedModel> {
    const tokenizer = await Tokenizer.load({
      path: model.tokenizerPath,
      maxTokens: model.maxTokens,
      documentPrefix: model.documentPrefix,
      queryPrefix: model.queryPrefix,
    });
    const { engines, budget, readsTexts, images } = await start();
    const encoder = new Encoder({ engines, budget, hooks });
    const tower =
      images &&
      new ImageTower(
        new Encoder({ engines: [images.engine], budget: { area: imageArea(IMAGE_BATCH) } }),
        images.preparation,
      );
    return new ServedModel(model, tokenizer, { encoder, images: tower, readsTexts });
  }

  chunk(documents: readonly Document[], chunking: Chunking): Promise<ChunkedDocument[]> {
    return chunkStructured(this.#tokenizer, documents, chunking);
  }

  /**
   * Where the tokens of chunks stand in their texts, as `EncodedText.offsets` says it. From the first token on that the
   * text by itself does not give, as behind a title that was cut, they stand nowhere.
   */
  async offsets(chunks: readonly { ids: Int32Array; text: string }[]): Promise<Int32Array[]> {
    const texts = chunks.map(({ text }) => text);
    const encoded = await this.#tokenizer.encode(texts, 'document', { offsets: true });
    return encoded.map(({ ids, offsets = new Int32Array() }, n) => {
      const own = chunks[n]?.ids ?? new Int32Array();
      const common = ids.findIndex((id, at) => id !== own[at]);
      return common === -1 ? offsets : offsets.subarray(0, 2 * common);
    });
  }

  /**
   * The outcome of each chunk, in the bulk lane: a dense vector, and what else is wanted, of one run. Rejects as the encoder
   * does, and with `invalid_profile` where the model does not give it.
   */
  async embed(
    chunks: readonly { ids: Int32Array; text: string }[],
    { attention = false, lexical = false, tokenVectors }: Beside = {},
  ): Promise<Outcome[]> {
    const beside: EngineOutput[] = [
      ...(attention ? ['attention' as const] : []),
      ...(lexical ? ['lexical' as const] : []),
      ...(tokenVectors === undefined ? [] : ['states' as const]),
    ];
    const lacking = beside.find((output) => !this.encoder.outputs.includes(output));
    if (lacking !== undefined)
      throw new EmbedmillError('invalid_profile', `${this.name} ${WITHOUT[lacking]}`);
    const outputs = beside.length === 0 ? undefined : ['dense' as const, ...beside];
    const { documentPrefix: prefix, start, end } = this.#tokenizer;
    const form = tokenVectors && { ...tokenVectors, start: start.length, end: end.length };
    const adapter = this.#inputs.adapterOf('document');
    const sequences = chunks.map(({ ids, text }): Sequence => ({
      ids,
      adapter,
      ...(this.#readsTexts && { text: prefix + text }),
      ...(form !== undefined && { tokenVectors: form }),
    }));
    return this.encoder.encode(sequences, 'bulk', outputs);
  }

  /**
   * The outcome of each text, as a document, cut to what the model reads; in the bulk lane. A text of which it knows
   * nothing has no terms.
   */
  async embedTexts(texts: readonly string[]): Promise<Outcome[]> {
    return this.embedRead(await this.readDocuments(texts));
  }

  /** The tokens of each text, as a document, cut to what the model reads. */
  async readDocuments(texts: readonly string[]): Promise<ReadText[]> {
    return this.#inputs.read(texts, await this.#inputs.promptOf({ role: 'document' }));
  }

  /** As `embedTexts`, of texts that were read. */
  async embedRead(sequences: readonly ReadText[]): Promise<Outcome[]> {
    const outcomes = await this.encoder.encode(sequences, 'bulk');
    return outcomes.map((one, n) =>
      one.ok && one.sparse !== undefined && sequences[n]?.unknown === true
        ? { ...one, sparse: NO_TERMS }
        : one,
    );
  }

  /**
   * The terms of each text, as a document, in the bulk lane: of a sparse model, or of one that weighs its tokens. A text of
   * which it knows nothing has none.
   */
  async weighTexts(texts: readonly string[]): Promise<Outcome[]> {
    if (!this.weighsTokens) return this.embedTexts(texts);
    const sequences = await this.readDocuments(texts);
    const outcomes = await this.encoder.encode(sequences, 'bulk', ['lexical']);
    return outcomes.map((one, n) => (one.ok ? { ...one, sparse: this.termsOf(sequences[n], one) } : one));
  }

  /** A sequence's terms by the weights of its tokens: of a token that comes again the most; special ones have none. */
  termsOf({ ids }: Pick<Sequence, 'ids'> = NO_TOKENS, { lexical }: Pick<Embedding, 'lexical'>): SparseVector {
    const weights = new Map<number, number>();
    const { start, end } = this.#tokenizer;
    for (const [at, id] of ids.entries()) {
      const weight = lexical?.[at] ?? 0;
      if (weight <= (weights.get(id) ?? 0) || !this.#tokenizer.knowsToken(id)) continue;
      if (!start.includes(id) && !end.includes(id)) weights.set(id, weight);
    }
    const indices = Uint32Array.from(weights.keys()).sort();
    return { indices, values: Float32Array.from(indices, (id) => weights.get(id) ?? 0) };
  }

  /** Clients' inputs, as `answer` reads them, in the bulk lane: what came of each. Rejects as the encoder does. */
  async embedInputs(given: readonly PromptedInput[]): Promise<InputOutcome[]> {
    const read = await this.#inputs.readEach(given);
    const sequences = read.flatMap((one) => (one instanceof EmbedmillError ? [] : one));
    const outcomes = (await this.encoder.encode(sequences, 'bulk', ['dense'])).values();
    return read.map((one): InputOutcome => {
      if (one instanceof EmbedmillError) return { ok: false, error: one };
      const outcome = outcomes.next().value;
      if (outcome?.ok !== true)
        return outcome ?? { ok: false, error: new EmbedmillError('internal', 'there is no outcome') };
      const { ids, truncated, unknown } = one;
      return { ok: true, vector: outcome.vector, tokens: ids.length, truncated, unknown };
    });
  }

  /** Whether the model knows any token of a chunk: else its vector says nothing of it. */
  knows({ ids }: { ids: Int32Array }): boolean {
    return this.#tokenizer.knows(ids, 'document');
  }

  /** Does what a query asks for, in the interactive lane. Errors: `overloaded`, and what the engine says. */
  async answer(query: Query): Promise<QueryResult> {
    switch (query.task) {
      case 'embed':
        return this.#embedNow(query);
      case 'images':
        return this.#embedImages(query);
      case 'sparse':
        return this.#weighTerms(query);
      case 'rerank':
        return this.#kind === 'reranker' ? this.#judge(query) : this.#interact(query);
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

  /** Ends what is in flight, then the engines. */
  async close(): Promise<void> {
    await Promise.all([this.encoder.close(), this.images?.close()]);
  }

  async #embedNow({ lexical, ...asked }: QueryOf<'embed'>): Promise<QueryResult<'embed'>> {
    const sequences = await this.#inputs.readQuery(asked);
    const embeddings = await this.#encodeNow(sequences, lexical === true ? ['dense', 'lexical'] : ['dense']);
    const reading = readingOf(sequences);
    const terms = lexical === true && embeddings.map((one, n) => this.termsOf(sequences[n], one));
    return {
      ...packed(embeddings, this.encoder.dims),
      ...(terms && { terms }),
      ...reading,
      unknown: unknownOf(reading, embeddings),
    };
  }

  /** The vectors of tokens by themselves, as late interaction compares them. */
  async #embedTokens(asked: QueryOf<'states'>): Promise<QueryResult<'states'>> {
    const sequences = await this.#inputs.readQuery(asked);
    const embeddings = await this.#encodeNow(sequences, ['states']);
    const states = embeddings.map((one) => one.states ?? NO_VECTOR);
    // Some models' token vectors are of another size than their texts'.
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
    const { images } = this;
    if (images === undefined) {
      const message = `${this.name} reads no images; search a collection of a model that does`;
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
    if (this.weighsTokens) {
      const embeddings = await this.#encodeNow(sequences, ['lexical']);
      const vectors = embeddings.map((one, n) => this.termsOf(sequences[n], one));
      return { vectors, ...readingOf(sequences) };
    }
    const embeddings = await this.#encodeNow(sequences, ['sparse']);
    return { vectors: embeddings.map(({ sparse }) => sparse ?? NO_TERMS), ...readingOf(sequences) };
  }

  /** A cross-encoder reads the query with each text. */
  async #judge({ query, inputs }: QueryOf<'rerank'>): Promise<QueryResult<'rerank'>> {
    const before = await this.#inputs.promptOf({ role: 'query' });
    const [asked = NO_TOKENS] = await this.#inputs.read([query], before);
    const pairs = await this.#tokenizer.encodePairs(query, inputs);
    const embeddings = await this.#encodeNow(pairs, ['score']);
    const scores = Float32Array.from(embeddings, ({ score = 0 }) => score);
    return {
      scores,
      kind: 'logit',
      query: { truncated: asked.truncated, unknown: asked.unknown },
      ...readingOf(pairs),
    };
  }

  /** A dense model's token vectors of the query meet those of each text. */
  async #interact({ query, prefix, inputs, emphasis }: QueryOf<'rerank'>): Promise<QueryResult<'rerank'>> {
    const before = await this.#inputs.promptOf({ role: 'query', prefix });
    const [asked = NO_OFFSETS] = await this.#tokenizer.encode([query], before, { offsets: true });
    const sequences = await this.readDocuments(inputs);
    const { adapter } = before;
    const [question, ...answers] = await this.#encodeNow([{ ...asked, adapter }, ...sequences], ['states']);
    const dims = (question?.states?.length ?? 0) / Math.max(1, asked.ids.length);
    const statesOf = ({ states = new Float32Array() }: Partial<Embedding>) => {
      const { start, end } = this.#tokenizer;
      // Special tokens stand for no word.
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

  /** Tokens of questions as late interaction holds them against stored ones. */
  async #readTokens({ inputs, prefix, dims }: QueryOf<'tokens'>): Promise<QueryResult<'tokens'>> {
    const before = await this.#inputs.promptOf({ role: 'query', prefix });
    const encoded = await this.#tokenizer.encode(inputs, before, { offsets: true });
    const { start, end } = this.#tokenizer;
    const form = { dims, poolFactor: 1, start: start.length, end: end.length };
    const { adapter } = before;
    const sequences = encoded.map((text) => ({ ...text, adapter, tokenVectors: form }));
    const embeddings = await this.#encodeNow(sequences, ['dense', 'states']);
    const reading = readingOf(
      encoded.map((text) => ({ ...text, unknown: !this.#tokenizer.knows(text.ids, before) })),
    );
    return {
      dense: packed(embeddings, this.encoder.dims),
      questions: encoded.map((text, n) => ({
        vectors: embeddings[n]?.tokenVectors ?? new Int8Array(),
        places: this.#inputs.placesOf(text),
      })),
      ...reading,
      unknown: unknownOf(reading, embeddings),
    };
  }

  async #encodeNow(sequences: readonly Sequence[], outputs: readonly EngineOutput[]): Promise<Embedding[]> {
    const lane: Lane = 'interactive';
    const lacking = outputs.find((output) => !this.encoder.outputs.includes(output));
    if (lacking !== undefined)
      throw new EmbedmillError('invalid_request', `${this.name} ${WITHOUT[lacking]}`);
    return (await this.encoder.encode(sequences, lane, outputs)).map(embeddingOf);
  }
}

/** What cannot be asked of a model that lacks an output, and what to do. */
const WITHOUT: Record<EngineOutput, string> = {
  dense: 'gives no dense vectors; ask a dense model',
  attention: 'gives no attention, which BM42 needs; ask a model that does',
  states:
    'cannot rerank: it gives no vectors of single tokens, which late interaction needs; name a reranker in "rerank", or leave it out',
  lexical: 'gives no sparse vectors; ask a sparse model',
  sparse: 'gives no sparse vectors; ask a sparse model',
  score: 'judges no pairs; name a reranker',
};

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

/** Whether the model says nothing of each text: it knows none of its tokens, or its vector is of no direction. */
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

import {
  Encoder,
  type Embedding,
  type EncoderHooks,
  type Outcome,
  type Sequence,
} from '@embedmill/embed/pipeline';
import type { EngineOutput, TokenVectorForm } from '@embedmill/inference';
import {
  EmbedmillError,
  type Chunking,
  type Document,
  type Query,
  type QueryResult,
  type SparseVector,
} from '@embedmill/jobs';
import type { ResolvedTokenizer } from '@embedmill/models';
import { chunkStructured, Tokenizer, type ChunkedDocument } from '@embedmill/tokenization';
import type { EngineSet } from './engines.ts';
import { imageArea, ImageTower } from './image-tower.ts';
import { InputReader, type PromptedInput, type ReadText } from './input-reader.ts';
import { assertOutputs } from './model-outputs.ts';
import { QueryAnswers } from './query-answers.ts';
import { NO_TERMS, tokenTerms } from './token-terms.ts';

/** The model's entry, and the revision that its vectors depend on. */
export type ServedEntry = ResolvedTokenizer & { revision: string };

export interface ServedModelOptions extends EncoderHooks {
  /** Called once the tokenizer is loaded. */
  start: () => Promise<EngineSet>;
}

/** The outcome of an input. */
export type InputOutcome =
  | { ok: true; vector: Float32Array; tokens: number; truncated: boolean; unknown: boolean }
  | { ok: false; error: EmbedmillError };

/** What a run of the model gives in addition to the dense vector. */
export interface Beside {
  attention?: boolean;
  lexical?: boolean;
  /** How token vectors are kept. */
  tokenVectors?: Pick<TokenVectorForm, 'dims' | 'poolFactor'> | undefined;
}

/** The most images of a batch. */
const IMAGE_BATCH = 8;

/**
 * A model that this worker serves: its tokenizer, and its engines behind the encoder. There is one per model and process,
 * from `load` until `close`; shards and queries share it.
 */
export class ServedModel {
  readonly name: string;
  /** What vectors depend on: another revision is another model. */
  readonly revision: string;
  readonly encoder: Encoder;
  /** Reads images, if the model does. */
  readonly images: ImageTower | undefined;
  /** Whether it weighs its tokens as words and so also gives sparse vectors. */
  readonly weighsTokens: boolean;
  readonly #tokenizer: Tokenizer;
  /** Whether engines embed texts instead of tokens. */
  readonly #readsTexts: boolean;
  readonly #inputs: InputReader;
  readonly #queries: QueryAnswers;

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
    this.#tokenizer = tokenizer;
    this.#readsTexts = parts.readsTexts;
    const adapters = model.kind === 'dense' ? model.adapters : undefined;
    this.#inputs = new InputReader(model.name, tokenizer, { adapters, readsTexts: parts.readsTexts });
    this.#queries = new QueryAnswers({
      model,
      weighsTokens: this.weighsTokens,
      tokenizer,
      inputs: this.#inputs,
      encoder: parts.encoder,
      images: parts.images,
    });
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
   * The positions of chunks' tokens in their texts, as in `EncodedText.offsets`. They end before the first token that the
   * text alone does not give, such as after a truncated title.
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
   * Embeds chunks in the bulk lane; one run gives the dense vector and the other wanted outputs. Rejects as the encoder
   * does, and with `invalid_profile` if the model lacks an output.
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
    assertOutputs({ name: this.name, outputs: this.encoder.outputs }, beside, 'invalid_profile');
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
   * Embeds texts as documents in the bulk lane, truncated to the model's limit. A text without a known token has no terms.
   */
  async embedTexts(texts: readonly string[]): Promise<Outcome[]> {
    return this.embedRead(await this.readDocuments(texts));
  }

  /** The tokens of each text, as a document, truncated to the model's limit. */
  async readDocuments(texts: readonly string[]): Promise<ReadText[]> {
    return this.#inputs.read(texts, await this.#inputs.promptOf({ role: 'document' }));
  }

  /** Like `embedTexts`, for texts whose tokens were read. */
  async embedRead(sequences: readonly ReadText[]): Promise<Outcome[]> {
    const outcomes = await this.encoder.encode(sequences, 'bulk');
    return outcomes.map((one, n) =>
      one.ok && one.sparse !== undefined && sequences[n]?.unknown === true
        ? { ...one, sparse: NO_TERMS }
        : one,
    );
  }

  /**
   * Weighs the terms of texts as documents in the bulk lane, by a sparse model or one that weighs its tokens. A text
   * without a known token has no terms.
   */
  async weighTexts(texts: readonly string[]): Promise<Outcome[]> {
    if (!this.weighsTokens) return this.embedTexts(texts);
    const sequences = await this.readDocuments(texts);
    const outcomes = await this.encoder.encode(sequences, 'bulk', ['lexical']);
    return outcomes.map((one, n) => (one.ok ? { ...one, sparse: this.termsOf(sequences[n], one) } : one));
  }

  /** The terms of a sequence by the weights of its tokens. */
  termsOf(sequence: Pick<Sequence, 'ids'> | undefined, outcome: Pick<Embedding, 'lexical'>): SparseVector {
    return tokenTerms(this.#tokenizer, sequence, outcome);
  }

  /** Embeds clients' inputs, read as by `answer`, in the bulk lane. Rejects as the encoder does. */
  async embedInputs(given: readonly PromptedInput[]): Promise<InputOutcome[]> {
    const read = await this.#inputs.readEach(given);
    const sequences = read.flatMap((one) => (one instanceof EmbedmillError ? [] : one));
    const outcomes = (await this.encoder.encode(sequences, 'bulk', ['dense'])).values();
    return read.map((one): InputOutcome => {
      if (one instanceof EmbedmillError) return { ok: false, error: one };
      const outcome = outcomes.next().value;
      if (outcome?.ok !== true)
        return (
          outcome ?? {
            ok: false,
            error: new EmbedmillError('internal', 'the batch has no outcome for the input'),
          }
        );
      const { ids, truncated, unknown } = one;
      return { ok: true, vector: outcome.vector, tokens: ids.length, truncated, unknown };
    });
  }

  /** Whether the model knows any token of a chunk; otherwise its vector is meaningless. */
  knows({ ids }: { ids: Int32Array }): boolean {
    return this.#tokenizer.knows(ids, 'document');
  }

  /** Answers a query in the interactive lane. Errors: `overloaded`, and those of the engine. */
  answer(query: Query): Promise<QueryResult> {
    return this.#queries.answer(query);
  }

  /** Finishes what is in flight, then closes the engines. */
  async close(): Promise<void> {
    await Promise.all([this.encoder.close(), this.images?.close()]);
  }
}

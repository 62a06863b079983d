import { EmbedmillError, type Chunking, type Document, type Query, type QueryResult } from '@embedmill/jobs';
import type { ResolvedTokenizer } from '@embedmill/models';
import { chunkDocuments, Tokenizer, type ChunkedDocument } from '@embedmill/tokenization';
import { Encoder, type BatchReport, type Outcome } from './encoder.ts';
import type { EngineSet } from './engines.ts';

/** The model's facts, and the revision that its vectors depend on. */
export type ServedEntry = ResolvedTokenizer & { revision: string };

export interface ServedModelOptions {
  /** Called once the tokenizer is there. */
  start: () => Promise<EngineSet>;
  onBatch: (report: BatchReport) => void;
}

/**
 * A model that this worker serves: its tokenizer, and its engines behind the encoder. One a model and process,
 * from `load` until `close`; shards and queries share it.
 */
export class ServedModel {
  readonly name: string;
  /** What vectors depend on: another revision is another model. */
  readonly revision: string;
  readonly encoder: Encoder;
  readonly #tokenizer: Tokenizer;
  /** Whether engines embed texts instead of tokens. */
  readonly #readsTexts: boolean;

  private constructor(model: ServedEntry, tokenizer: Tokenizer, encoder: Encoder, readsTexts: boolean) {
    this.name = model.name;
    this.revision = model.revision;
    this.encoder = encoder;
    this.#tokenizer = tokenizer;
    this.#readsTexts = readsTexts;
  }

  /** Errors: `model_unavailable`, `model_corrupt`. */
  static async load(model: ServedEntry, { start, onBatch }: ServedModelOptions): Promise<ServedModel> {
    const tokenizer = await Tokenizer.load({
      path: model.tokenizerPath,
      maxTokens: model.maxTokens,
      documentPrefix: model.documentPrefix,
      queryPrefix: model.queryPrefix,
    });
    const { engines, budget, readsTexts } = await start();
    return new ServedModel(
      model,
      tokenizer,
      new Encoder({ engines, budget, hooks: { onBatch } }),
      readsTexts,
    );
  }

  chunk(documents: Document[], chunking: Chunking): Promise<ChunkedDocument[]> {
    return chunkDocuments(this.#tokenizer, documents, chunking);
  }

  /** The outcome of each chunk, document after document, in the bulk lane. Rejects as the encoder does. */
  embed(documents: readonly Document[], chunked: readonly ChunkedDocument[]): Promise<Outcome[]> {
    const sequences = chunked.flatMap(({ chunks }) => chunks.map(({ ids }) => ids));
    if (!this.#readsTexts) return this.encoder.encode(sequences, 'bulk');
    const texts = chunked.flatMap(({ chunks }, n) => {
      const { title, text = '' } = documents[n] ?? {};
      const head = `${this.#tokenizer.documentPrefix}${title === undefined ? '' : `${title} `}`;
      return chunks.map(({ start, end }) => head + text.slice(start, end));
    });
    return this.encoder.encode(sequences, 'bulk', texts);
  }

  /** Embeds a query's inputs in the interactive lane. Errors: `overloaded`, and what the engine says. */
  async answer({ inputs, kind }: Query): Promise<QueryResult> {
    const encoded = (await this.#tokenizer.encode(inputs.filter(isText), kind)).values();
    const sequences = inputs.map((input) => {
      if (!isText(input)) return this.#truncate(input);
      const { value } = encoded.next();
      return value ?? { ids: new Int32Array(), truncated: false };
    });
    const texts = this.#readsTexts ? await Promise.all(inputs.map((input) => this.#textOf(input, kind))) : [];
    const outcomes = await this.encoder.encode(
      sequences.map(({ ids }) => ids),
      'interactive',
      texts,
    );
    const vectors = outcomes.map((outcome) => {
      if (!outcome.ok) throw outcome.error;
      return outcome.vector;
    });
    const [first] = vectors;
    if (first === undefined) throw new EmbedmillError('invalid_request', 'a query needs at least one input');
    const packed = new Float32Array(first.length * vectors.length);
    for (const [n, vector] of vectors.entries()) packed.set(vector, n * first.length);
    return {
      dims: first.length,
      vectors: packed,
      tokens: sequences.map(({ ids }) => ids.length),
      truncated: sequences.map(({ truncated }) => truncated),
    };
  }

  /** Ends what is in flight, then the engines. */
  close(): Promise<void> {
    return this.encoder.close();
  }

  async #textOf(input: Query['inputs'][number], kind: Query['kind']): Promise<string> {
    const { queryPrefix, documentPrefix } = this.#tokenizer;
    if (!isText(input)) return this.#tokenizer.decode(input);
    return (kind === 'query' ? queryPrefix : documentPrefix) + input;
  }

  /** Token ids as a client made them are taken as they are, special tokens included or not. */
  #truncate(ids: number[]): { ids: Int32Array; truncated: boolean } {
    const { maxTokens } = this.#tokenizer;
    return { ids: Int32Array.from(ids.slice(0, maxTokens)), truncated: ids.length > maxTokens };
  }
}

const isText = (input: Query['inputs'][number]): input is string => typeof input === 'string';

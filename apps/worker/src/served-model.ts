import { EmbedmillError, type Chunking, type Document, type Query, type QueryResult } from '@embedmill/jobs';
import type { EngineEvent } from '@embedmill/inference';
import type { ResolvedModel } from '@embedmill/models';
import { chunkDocuments, Tokenizer, type ChunkedDocument } from '@embedmill/tokenization';
import { Encoder, type BatchReport } from './encoder.ts';
import type { EnginePlan } from './engine-plan.ts';
import { startEngines } from './engines.ts';

export interface ServedModelOptions {
  plan: EnginePlan;
  batchDeadlineMs: number;
  onBatch: (report: BatchReport) => void;
  onEngineEvent: (event: EngineEvent) => void;
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

  private constructor(model: ResolvedModel, tokenizer: Tokenizer, encoder: Encoder) {
    this.name = model.name;
    this.revision = model.revision;
    this.encoder = encoder;
    this.#tokenizer = tokenizer;
  }

  /** Errors: `model_unavailable`, `model_corrupt`. */
  static async load(model: ResolvedModel, options: ServedModelOptions): Promise<ServedModel> {
    const tokenizer = await Tokenizer.load({
      path: model.tokenizerPath,
      maxTokens: model.maxTokens,
      documentPrefix: model.documentPrefix,
      queryPrefix: model.queryPrefix,
    });
    const { plan } = options;
    const engines = await startEngines(model, options);
    const { area, launchCost } = plan;
    const encoder = new Encoder({
      engines,
      budget: { area, launchCost },
      hooks: { onBatch: options.onBatch },
    });
    return new ServedModel(model, tokenizer, encoder);
  }

  chunk(documents: Document[], chunking: Chunking): Promise<ChunkedDocument[]> {
    return chunkDocuments(this.#tokenizer, documents, chunking);
  }

  /** Embeds a query's inputs in the interactive lane. Errors: `overloaded`, and what the engine says. */
  async answer(query: Query): Promise<QueryResult> {
    const texts = query.inputs.filter((input) => typeof input === 'string');
    const encoded = (await this.#tokenizer.encode(texts, query.kind)).values();
    const sequences = query.inputs.map((input) => {
      if (typeof input !== 'string') return this.#truncate(input);
      const { value } = encoded.next();
      return value ?? { ids: new Int32Array(), truncated: false };
    });
    const outcomes = await this.encoder.encode(
      sequences.map(({ ids }) => ids),
      'interactive',
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

  /** Token ids as a client made them are taken as they are, special tokens included or not. */
  #truncate(ids: number[]): { ids: Int32Array; truncated: boolean } {
    const { maxTokens } = this.#tokenizer;
    return { ids: Int32Array.from(ids.slice(0, maxTokens)), truncated: ids.length > maxTokens };
  }
}

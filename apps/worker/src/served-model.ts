import { EmbedmillError, type Chunking, type Document, type Query, type QueryResult } from '@embedmill/jobs';
import { EngineProcess, type EngineEvent, type EngineLayout } from '@embedmill/inference';
import type { ResolvedModel } from '@embedmill/models';
import { chunkDocuments, Tokenizer, type ChunkedDocument } from '@embedmill/tokenization';
import { Encoder, type BatchReport } from './encoder.ts';

/** The engine's entry stands beside this module, as source and as bundle. */
const ENGINE = new URL(import.meta.url.endsWith('.ts') ? './engine.ts' : './engine.js', import.meta.url);

export interface ServedModelOptions {
  /** How many engine processes, and the threads of each. */
  layout: EngineLayout;
  batchDeadlineMs: number;
  /** The largest batch; the encoder's own default without it. */
  area?: number | undefined;
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
    const { layout, area, batchDeadlineMs } = options;
    const starting = Array.from({ length: layout.processes }, () =>
      EngineProcess.start({
        entry: ENGINE,
        model: {
          path: model.modelPath,
          pooling: model.pooling,
          normalize: model.normalize,
          dims: model.dims,
          padTokenId: model.padTokenId,
        },
        device: { kind: 'cpu', threads: layout.threads },
        deadlineMs: batchDeadlineMs,
        onEvent: options.onEngineEvent,
      }),
    );
    const started = await Promise.allSettled(starting);
    const engines = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failed = started.find((one) => one.status === 'rejected');
    if (failed !== undefined) {
      await Promise.all(engines.map((engine) => engine.close()));
      throw failed.reason;
    }
    const budget = area === undefined ? {} : { area };
    return new ServedModel(
      model,
      tokenizer,
      new Encoder({ engines, budget, hooks: { onBatch: options.onBatch } }),
    );
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

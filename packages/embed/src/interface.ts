/** The texts to embed: a list, or a stream. */
export type Texts = Iterable<string> | AsyncIterable<string>;

/** The role of a text: a query, or a document to find. */
export type TextRole = 'query' | 'document';

/** A batch that an engine ran. */
export interface RunBatch {
  /** The number of texts. */
  items: number;
  /** Tokens without padding. */
  tokens: number;
  /** Tokens with padding: texts times tokens of the longest. */
  paddedTokens: number;
  /** The duration of the run. */
  seconds: number;
}

/** A text that exceeds the model's limit: its vector represents its beginning. */
export interface TruncatedText {
  /** Its index among the texts, from 0. */
  index: number;
  /** Its number of tokens; the model read `Embedder.maxTokens`. */
  tokens: number;
}

/** How to run a model. */
export interface EmbedderOptions {
  /**
   * A model's name, or the path of a folder with a model, which must contain a slash. The default is `all-MiniLM-L6-v2`, which
   * this package includes; other named models are downloaded on first use.
   */
  model?: string | undefined;
  /** The CPUs to use; by default all that this process may use. */
  threads?: number | undefined;
  /** The largest batch, as texts times tokens of the longest; the default suits the device. */
  batchArea?: number | undefined;
  /** `cpu` by default; `cuda`, `cuda:0,cuda:1` or `webgpu`. */
  device?: string | undefined;
  /** The folder of downloaded models, optimized graphs and calibrations; `~/.cache/embedmill` by default. */
  cacheFolder?: string | undefined;
  /** Aborts loading the model. */
  signal?: AbortSignal | undefined;
  /** Called for each batch that ran. */
  onBatch?: ((batch: RunBatch) => void) | undefined;
}

/** How to embed texts. */
export interface TextOptions {
  /** The role of the texts; `document` by default. */
  role?: TextRole | undefined;
  /** The vector size, for models that were trained for smaller sizes; the full size by default. */
  dimensions?: number | undefined;
  /** Aborts the work; pending calls reject with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called for each truncated text. */
  onTruncated?: ((text: TruncatedText) => void) | undefined;
}

/** How to embed a stream of texts. */
export interface StreamOptions extends TextOptions {
  /** The number of vectors per group, except the last one; 256 by default. */
  group?: number | undefined;
}

/** A model in engine processes until it is closed. Streams and single texts share its batches. */
export interface Embedder {
  /** The model's name. */
  readonly model: string;
  /** The full vector size. */
  readonly dims: number;
  /** The most tokens that the model reads of a text, including special tokens. */
  readonly maxTokens: number;
  /**
   * The vectors of texts in order, some hundreds at a time. It reads ahead while vectors are computed, and waits while they
   * are not consumed (backpressure). Leaving early closes the texts' iterator; running batches finish unseen.
   *
   * Throws the errors of the texts' iterator, the signal's reason, and errors with a `code`: `invalid_request` for values that
   * are not strings, `dimensions_not_allowed`, and those of the engines, with the text's index.
   */
  embed(texts: Texts, options?: StreamOptions): AsyncGenerator<Float32Array[], void, void>;
  /** The vector of one text. Errors: those of `embed`. */
  embedOne(text: string, options?: TextOptions): Promise<Float32Array>;
  /** Ends the engine processes; pending calls reject with `no_worker`. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

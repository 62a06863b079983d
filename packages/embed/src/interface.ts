/** What is to be embedded: as it is, or as it comes, one after the other. */
export type Texts = Iterable<string> | AsyncIterable<string>;

/** What a text is to the model: what is looked for, or what is to be found. */
export type TextRole = 'query' | 'document';

/** A batch that an engine has run. */
export interface RunBatch {
  /** Texts in it. */
  items: number;
  /** Tokens without padding. */
  tokens: number;
  /** Tokens with it: texts times tokens of the longest. */
  paddedTokens: number;
  /** What the run took. */
  seconds: number;
}

/** A text that is longer than the model reads: its vector is that of its beginning. */
export interface TruncatedText {
  /** Its place among the texts, from 0. */
  index: number;
  /** How many it has; the model has read `Embedder.maxTokens`. */
  tokens: number;
}

/** How a model is to be run. */
export interface EmbedderOptions {
  /**
   * A model's name, or the path of a folder with one, which has a slash in it. `all-MiniLM-L6-v2` by default, which comes
   * with this package; others that have a name are downloaded when they are first used.
   */
  model?: string | undefined;
  /** CPUs to keep busy; by default all that this process may use. */
  threads?: number | undefined;
  /** The largest batch, as texts times tokens of the longest; what suits the device by default. */
  batchArea?: number | undefined;
  /** `cpu` by default; `cuda`, `cuda:0,cuda:1` or `webgpu`. */
  device?: string | undefined;
  /** Where downloaded models, optimized graphs and calibrations are kept; `~/.cache/embedmill` by default. */
  cacheFolder?: string | undefined;
  /** Ends the loading of the model. */
  signal?: AbortSignal | undefined;
  /** Called with each batch that has run. */
  onBatch?: ((batch: RunBatch) => void) | undefined;
}

/** How texts are to be embedded. */
export interface TextOptions {
  /** What they are to the model; `document` by default. */
  role?: TextRole | undefined;
  /** Numbers in a vector, of models that are trained to be cut; all by default. */
  dimensions?: number | undefined;
  /** Ends the work; what waits for a vector is told the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called with each text that is cut. */
  onTruncated?: ((text: TruncatedText) => void) | undefined;
}

/** How a stream of texts is to be embedded. */
export interface StreamOptions extends TextOptions {
  /** Vectors that come together, all but the last time; 256 by default. */
  group?: number | undefined;
}

/** A model in engine processes, until it is closed. Streams and single texts share its batches. */
export interface Embedder {
  /** The model's name. */
  readonly model: string;
  /** Numbers in a vector that is not cut. */
  readonly dims: number;
  /** Tokens that the model reads of a text, special tokens included. */
  readonly maxTokens: number;
  /**
   * The vectors of texts, in their order, some hundreds at a time. Reads on while vectors are computed, and waits while
   * nobody takes them. Left early, it closes the texts' iterator; what engines have in hand then runs out unseen.
   *
   * Throws what the texts' iterator throws, the signal's reason, and errors with a `code`: `invalid_request` for what is no
   * string, `dimensions_not_allowed`, and what the engines say, with the text's place.
   */
  embed(texts: Texts, options?: StreamOptions): AsyncGenerator<Float32Array[], void, void>;
  /** The vector of one text. Errors: those of `embed`. */
  embedOne(text: string, options?: TextOptions): Promise<Float32Array>;
  /** Ends the engine processes; who still waits for vectors is told `no_worker`. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

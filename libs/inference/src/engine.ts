/** Token sequences for one run of a model. */
export interface EngineBatch {
  /** The ids of all sequences, one after the other, without padding. */
  readonly ids: Int32Array;
  /** Tokens of each sequence, at least 1 each; their sum is `ids.length`. */
  readonly lengths: Int32Array;
  /** Someone waits: runs before every batch that has not begun. */
  readonly urgent: boolean;
  /** What the ids of each sequence stand for; only engines that tokenize themselves, which are remote, read it. */
  readonly texts?: readonly string[];
}

export interface EngineResult {
  /** sequences × dims, in the order of the batch. */
  readonly vectors: Float32Array;
  /** What the run took on the device, waiting not counted. */
  readonly seconds: number;
}

/**
 * Whatever turns token sequences into vectors: owns one device and one model, or speaks to a server that does.
 *
 * `run` rejects with `engine_failed` (this batch cannot be run), `out_of_memory` (a smaller one may),
 * `engine_crashed` or `engine_timeout` (some batch in flight is at fault, or none is), or with `model_corrupt`
 * or `model_unavailable` when there is no model to run anything with.
 */
export interface Engine {
  /** Numbers in a vector. */
  readonly dims: number;
  /** Batches that may be in flight; one urgent batch may be on top. */
  readonly capacity: number;
  run(batch: EngineBatch): Promise<EngineResult>;
  /** Ends what is in flight, then the engine. */
  close(): Promise<void>;
}

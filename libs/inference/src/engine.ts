import type { TokenVectors } from '@embedmill/jobs';

/**
 * What a model outputs for a sequence:
 * - `dense`: one vector, pooled;
 * - `attention`: a weight per token, the row of [CLS] in the last layer's attention, averaged over its heads (BM42);
 * - `states`: a vector per token (late interaction);
 * - `lexical`: a weight per token, 0 or more, for the token's term (bge-m3);
 * - `sparse`: weights of the vocabulary's terms (SPLADE);
 * - `score`: how well the two parts of a pair match, a logit (cross-encoders).
 */
export type EngineOutput = 'dense' | 'attention' | 'states' | 'lexical' | 'sparse' | 'score';

/** Token sequences for one run of a model. */
export interface EngineBatch {
  /** The ids of all sequences, concatenated, without padding. */
  readonly ids: Int32Array;
  /** The number of tokens of each sequence, at least 1; their sum is `ids.length`. */
  readonly lengths: Int32Array;
  /** Someone is waiting: runs before every batch that has not begun. */
  readonly urgent: boolean;
  /**
   * For an image model: the images, each size × size × 3 bytes, rows from the top, RGB. Their ids, counted by
   * `lengths`, only identify them.
   */
  readonly pixels?: Uint8Array;
  /** Chosen from the engine's `outputs`; only its first by default. */
  readonly outputs?: readonly EngineOutput[];
  /** For pairs: how many tokens of each sequence belong to the first part (token type 0); the rest have type 1. */
  readonly firstParts?: Int32Array;
  /**
   * For each sequence, whether its vectors stay as the model outputs them; otherwise they are normalised if the model
   * says so.
   */
  readonly raw?: readonly boolean[];
  /** For each sequence, how its `states` are reduced to a few vectors of bytes, which replace them. */
  readonly tokenVectors?: readonly (TokenVectorForm | undefined)[];
  /** Whether `states` are also wanted, for sequences without such a form. */
  readonly wholeStates?: boolean;
  /** The graph's adapter to run with, if the model has several; the first by default. */
  readonly adapter?: number;
  /** The text of each sequence; read only by engines that tokenize themselves, which are remote. */
  readonly texts?: readonly string[];
}

/** How a sequence's token vectors are reduced for storage. */
export interface TokenVectorForm {
  /** The number of leading dimensions to keep of each vector. */
  readonly dims: number;
  /** The average number of tokens that share a vector. */
  readonly poolFactor: number;
  /** The numbers of special tokens at the start and at the end, which represent no word and get no vector. */
  readonly start: number;
  readonly end: number;
}

/** The sparse vectors of a batch, concatenated: for each its terms' ids in ascending order, and their weights. */
export interface PackedSparse {
  readonly lengths: Int32Array;
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}

/** All in the order of the batch; only the requested outputs are set. */
export interface EngineResult {
  /** sequences × dims; empty if `dense` was not requested. */
  readonly vectors: Float32Array;
  /** One for each of the batch's `ids`. */
  readonly attention?: Float32Array;
  /** `ids` × `stateDims`. */
  readonly states?: Float32Array;
  readonly stateDims?: number;
  /** One for each of the batch's `ids`. */
  readonly lexical?: Float32Array;
  /** For each sequence with a form: rows × dims, concatenated. */
  readonly tokenVectors?: readonly (TokenVectors | undefined)[];
  readonly sparse?: PackedSparse;
  /** One per sequence. */
  readonly scores?: Float32Array;
  /** The run's time on the device, without waiting. */
  readonly seconds: number;
}

/**
 * Turns token sequences into vectors: owns one device and one model, or is a client of a server that does.
 *
 * `run` rejects with `engine_failed` (this batch cannot be run), `out_of_memory` (a smaller one may), `engine_crashed`
 * or `engine_timeout` (a batch in flight may be at fault), or with `model_corrupt` or `model_unavailable` if there is
 * no usable model.
 */
export interface Engine {
  /** The dimensions of a dense vector; 0 if the model outputs none. */
  readonly dims: number;
  /** The available outputs, the main one first. */
  readonly outputs: readonly EngineOutput[];
  /** The maximum number of batches in flight, not counting one urgent batch. */
  readonly capacity: number;
  run(batch: EngineBatch): Promise<EngineResult>;
  /** Ends what is in flight, then the engine. */
  close(): Promise<void>;
}

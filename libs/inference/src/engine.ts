import type { TokenVectors } from '@embedmill/jobs';

/**
 * What a model gives of a sequence:
 * - `dense`: one vector, pooled;
 * - `attention`: a weight a token, the row of [CLS] in the last layer's attention, averaged over its heads (BM42);
 * - `states`: a vector a token (late interaction);
 * - `lexical`: a weight a token, 0 or more, of the term that the token is (bge-m3);
 * - `sparse`: weights of the vocabulary's terms (SPLADE);
 * - `score`: how well the two parts of a pair match, a logit (cross-encoders).
 */
export type EngineOutput = 'dense' | 'attention' | 'states' | 'lexical' | 'sparse' | 'score';

/** Token sequences for one run of a model. */
export interface EngineBatch {
  /** The ids of all sequences, one after the other, without padding. */
  readonly ids: Int32Array;
  /** Tokens of each sequence, at least 1 each; their sum is `ids.length`. */
  readonly lengths: Int32Array;
  /** Someone waits: runs before every batch that has not begun. */
  readonly urgent: boolean;
  /**
   * Of an image model: the images, each size × size × 3 bytes, rows from the top, RGB. Their ids, of as many as
   * `lengths` says, are only what they are told apart by.
   */
  readonly pixels?: Uint8Array;
  /** Of what the engine's `outputs` has; its first alone by default. */
  readonly outputs?: readonly EngineOutput[];
  /** Of pairs: how many tokens of each sequence are the first part's (token type 0); the rest is of type 1. */
  readonly firstParts?: Int32Array;
  /** Of each sequence, whether its vectors stay as the model gives them; else they have length 1, where the model says so. */
  readonly raw?: readonly boolean[];
  /** Of each sequence, how its `states` become a few vectors of bytes, in place of themselves. */
  readonly tokenVectors?: readonly (TokenVectorForm | undefined)[];
  /** Whether `states` are wanted beside them: of sequences that have no such form. */
  readonly wholeStates?: boolean;
  /** Which of the graph's adapters runs it, of models that have several; their first by default. */
  readonly adapter?: number;
  /** What the ids of each sequence stand for; only engines that tokenize themselves, which are remote, read it. */
  readonly texts?: readonly string[];
}

/** What is kept of a sequence's token vectors. */
export interface TokenVectorForm {
  /** Numbers of each vector, the first of those that the model gives. */
  readonly dims: number;
  /** Tokens that share a vector, on average. */
  readonly poolFactor: number;
  /** Special tokens in front and behind, which stand for no word and have none. */
  readonly start: number;
  readonly end: number;
}

/** Sparse vectors of a batch, one after the other: terms of each, their ids ascending, and their weights. */
export interface PackedSparse {
  readonly lengths: Int32Array;
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}

/** All in the order of the batch, and only what was asked for. */
export interface EngineResult {
  /** sequences × dims; empty where `dense` was not asked for. */
  readonly vectors: Float32Array;
  /** One for each of the batch's `ids`. */
  readonly attention?: Float32Array;
  /** `ids` × `stateDims`. */
  readonly states?: Float32Array;
  readonly stateDims?: number;
  /** One for each of the batch's `ids`. */
  readonly lexical?: Float32Array;
  /** Of each sequence of which a form was given: rows × dims, each after the other. */
  readonly tokenVectors?: readonly (TokenVectors | undefined)[];
  readonly sparse?: PackedSparse;
  /** One a sequence. */
  readonly scores?: Float32Array;
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
  /** Numbers in a dense vector; of models that give none, 0. */
  readonly dims: number;
  /** What it can give, the usual first. */
  readonly outputs: readonly EngineOutput[];
  /** Batches that may be in flight; one urgent batch may be on top. */
  readonly capacity: number;
  run(batch: EngineBatch): Promise<EngineResult>;
  /** Ends what is in flight, then the engine. */
  close(): Promise<void>;
}

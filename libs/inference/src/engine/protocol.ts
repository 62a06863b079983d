import type { Device } from '../device.ts';
import type { EngineBatch, EngineOutput, EngineResult } from '../engine.ts';

interface ModelFile {
  /** The ONNX file. */
  readonly path: string;
  /** The dimensions of a vector (terms of a vocabulary), if known; a model with another size is refused. */
  readonly dims?: number | undefined;
  readonly padTokenId: number;
}

/** The files of linear layers (safetensors, or .pt) that run after pooling. */
export interface Projection {
  readonly path: string;
  readonly activation: 'identity' | 'tanh';
}

/** The source of a value per token: an output of the graph, or a linear layer (a file) over token vectors. */
export type TokenHead = { readonly output: string } | { readonly path: string };

/**
 * Outputs `dense`. Also outputs `states` if its graph has vectors per token, `attention` if it has attention, and
 * `lexical` if it has a head for it.
 */
export interface DenseModel extends ModelFile {
  readonly kind: 'dense';
  /**
   * How token vectors are pooled: their mean, the first ([CLS]) or the last; `graph`: the graph has a pooled output. A
   * graph without token vectors pools itself, whatever this says.
   */
  readonly pooling: 'mean' | 'cls' | 'last' | 'graph';
  /** The side on which shorter sequences are padded; the right by default. */
  readonly padding?: 'right' | 'left' | undefined;
  /** Applied in order, between pooling and normalising. */
  readonly projections?: readonly Projection[] | undefined;
  /** The graph's input that selects an adapter, if it has several. */
  readonly adapterInput?: string | undefined;
  readonly lexical?: TokenHead | undefined;
  /** The source of `states`; the graph's token vectors by default. */
  readonly tokenVectors?: TokenHead | undefined;
  /** Scale vectors to length 1. */
  readonly normalize: boolean;
}

/** Outputs `sparse`: its graph has weights per sequence, or logits per token. */
export interface SparseModel extends ModelFile {
  readonly kind: 'sparse';
  /** The maximum number of terms in a vector (the heaviest are kept); default 256. */
  readonly maxTerms?: number | undefined;
}

/** Outputs `score`: its graph has one logit per pair. */
export interface RerankerModel extends ModelFile {
  readonly kind: 'reranker';
}

/** A model as an engine needs to know it. */
export type EngineModel = DenseModel | SparseModel | RerankerModel;

/** Red, green, blue. */
type PerChannel = readonly [number, number, number];

/** The image tower of a model, as an engine needs to know it. */
export interface ImageModel {
  readonly kind: 'image';
  /** The ONNX file: float32 [images, 3, size, size] → float32 [images, dims]. */
  readonly path: string;
  /** Side of the square images, in pixels. */
  readonly size: number;
  /** Subtracted from each channel's values, which range from 0 to 1. */
  readonly mean: PerChannel;
  /** What each channel is then divided by. */
  readonly std: PerChannel;
  /** Scale vectors to length 1. */
  readonly normalize: boolean;
  /** The dimensions of a vector, if known; a model with another size is refused. */
  readonly dims?: number | undefined;
}

/** How far ONNX Runtime optimizes a graph before running it. */
export interface GraphTuning {
  readonly level: 'disabled' | 'basic' | 'extended' | 'all';
  /** Optimizers of that level to disable, by their names in ONNX Runtime. */
  readonly without: readonly string[];
}

export interface SessionTuning {
  readonly device: Device;
  readonly graph: GraphTuning;
  /** Where the optimized graph is cached for the next start; created if missing. */
  readonly graphCache?: string | undefined;
  /** The largest batch to expect, in padded tokens. It runs once at the start, to allocate its memory. */
  readonly area?: number | undefined;
}

/** Messages to the engine, sent as structured clones: typed arrays cross as bytes, not as JSON. */
export type ToEngine =
  | { readonly kind: 'load'; readonly model: EngineModel | ImageModel; readonly tuning: SessionTuning }
  | ({ readonly kind: 'run'; readonly id: number } & EngineBatch);

/** Messages from the engine: first `ready` or `unloadable`, then one answer for each `run`. */
export type FromEngine =
  | {
      readonly kind: 'ready';
      readonly dims: number;
      readonly outputs: readonly EngineOutput[];
      readonly peakRssBytes: number;
    }
  | {
      readonly kind: 'unloadable';
      readonly code: 'model_corrupt' | 'model_unavailable';
      readonly message: string;
    }
  | ({ readonly kind: 'ran'; readonly id: number; readonly peakRssBytes: number } & EngineResult)
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly code: 'engine_failed' | 'out_of_memory';
      readonly message: string;
    };

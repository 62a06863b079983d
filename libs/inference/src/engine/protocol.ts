import type { Device } from '../device.ts';
import type { EngineBatch, EngineOutput, EngineResult } from '../engine.ts';

interface ModelFile {
  /** The ONNX file. */
  readonly path: string;
  /** Numbers in a vector (terms of a vocabulary), where it is known: a model that gives another is refused. */
  readonly dims?: number | undefined;
  readonly padTokenId: number;
}

/** A file of a linear layer (safetensors, or .pt), run behind pooling. */
export interface Projection {
  readonly path: string;
  readonly activation: 'identity' | 'tanh';
}

/** What is read of every token: an output of the graph, or a linear layer (a file) over token vectors. */
export type TokenHead = { readonly output: string } | { readonly path: string };

/**
 * Gives `dense`; where its graph has vectors by token also `states`, where it has attention, `attention`, and where it
 * has a head for them, `lexical`.
 */
export interface DenseModel extends ModelFile {
  readonly kind: 'dense';
  /**
   * How token vectors become one: their mean, the first ([CLS]) or the last; `graph`: as an output of the graph has it.
   * A graph that gives no token vectors pools itself, whatever this says.
   */
  readonly pooling: 'mean' | 'cls' | 'last' | 'graph';
  /** The side on which shorter sequences are padded; the right by default. */
  readonly padding?: 'right' | 'left' | undefined;
  /** In their order, between pooling and normalising. */
  readonly projections?: readonly Projection[] | undefined;
  /** The graph's input that chooses one of its adapters, where it has several. */
  readonly adapterInput?: string | undefined;
  readonly lexical?: TokenHead | undefined;
  /** What `states` are; the graph's token vectors by default. */
  readonly tokenVectors?: TokenHead | undefined;
  /** Scale vectors to length 1. */
  readonly normalize: boolean;
}

/** Gives `sparse`: its graph has weights by sequence, or logits by token. */
export interface SparseModel extends ModelFile {
  readonly kind: 'sparse';
  /** Terms of a vector at most, the heaviest; default 256. */
  readonly maxTerms?: number | undefined;
}

/** Gives `score`: its graph has one logit a pair. */
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
  /** Subtracted from each channel, of values from 0 to 1. */
  readonly mean: PerChannel;
  /** What each channel is then divided by. */
  readonly std: PerChannel;
  /** Scale vectors to length 1. */
  readonly normalize: boolean;
  /** Numbers in a vector, where it is known: a model that gives another is refused. */
  readonly dims?: number | undefined;
}

/** What ONNX Runtime does to a graph before it runs it. */
export interface GraphTuning {
  readonly level: 'disabled' | 'basic' | 'extended' | 'all';
  /** Optimizers of that level to leave out, by their names in ONNX Runtime. */
  readonly without: readonly string[];
}

export interface SessionTuning {
  readonly device: Device;
  readonly graph: GraphTuning;
  /** Where the optimized graph is kept for the next start; made when it is not there. */
  readonly graphCache?: string | undefined;
  /** The largest batch to come, in padded tokens: run once at the start, so that its memory is there. */
  readonly area?: number | undefined;
}

/** What goes to the engine, as structured clones: typed arrays cross as bytes, nothing as JSON. */
export type ToEngine =
  | { readonly kind: 'load'; readonly model: EngineModel | ImageModel; readonly tuning: SessionTuning }
  | ({ readonly kind: 'run'; readonly id: number } & EngineBatch);

/** What comes back: first `ready` or `unloadable`, then one answer for each `run`. */
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

import type { Device } from '../device.ts';
import type { EngineBatch } from '../engine.ts';

/** A model as an engine needs to know it. */
export interface EngineModel {
  /** The ONNX file. */
  readonly path: string;
  /** How token vectors become one: their mean, or the first ([CLS]); unused where the graph pools itself. */
  readonly pooling: 'mean' | 'cls';
  /** Scale vectors to length 1. */
  readonly normalize: boolean;
  /** Numbers in a vector, where it is known: a model that gives another is refused. */
  readonly dims?: number | undefined;
  readonly padTokenId: number;
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
  | { readonly kind: 'load'; readonly model: EngineModel; readonly tuning: SessionTuning }
  | ({ readonly kind: 'run'; readonly id: number } & Omit<EngineBatch, 'texts'>);

/** What comes back: first `ready` or `unloadable`, then one answer for each `run`. */
export type FromEngine =
  | { readonly kind: 'ready'; readonly dims: number; readonly peakRssBytes: number }
  | {
      readonly kind: 'unloadable';
      readonly code: 'model_corrupt' | 'model_unavailable';
      readonly message: string;
    }
  | {
      readonly kind: 'vectors';
      readonly id: number;
      readonly vectors: Float32Array;
      readonly seconds: number;
      readonly peakRssBytes: number;
    }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly code: 'engine_failed' | 'out_of_memory';
      readonly message: string;
    };

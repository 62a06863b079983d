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

export interface SessionTuning {
  /** Threads that one run computes with, the engine's main thread among them. */
  readonly threads: number;
  /** Whether idle threads wait for work by spinning: faster where the engine has its CPUs to itself. */
  readonly spinning: boolean;
  readonly graphOptimization: 'disabled' | 'basic' | 'extended' | 'all';
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

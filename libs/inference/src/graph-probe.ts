/**
 * Runs a model over batches in this process, and passes on the values of tensors within its graph. For work that has
 * the process to itself, such as quantizing a model, because each batch blocks the event loop.
 */
import type { Tensor } from 'onnxruntime-node';
import type { EngineBatch } from './engine.ts';
import { Feeds } from './engine/feeds.ts';
import { withoutPadding } from './engine/pooling.ts';
import type { EngineModel } from './engine/protocol.ts';
import { defaultGraph, sessionOptions } from './engine/session-options.ts';

export interface Probe {
  /** An ONNX file with the tensors among its outputs. */
  bytes: Uint8Array;
  /** The original model. */
  model: EngineModel;
  batches: readonly EngineBatch[];
  tensors: readonly string[];
  threads: number;
  signal?: AbortSignal | undefined;
}

/**
 * @param take receives the rows of each tensor and batch: only those of real tokens if it has a row per token, else all
 */
export async function probeGraph(
  { bytes, model, batches, tensors, threads, signal }: Probe,
  take: (tensor: string, rows: Float32Array, width: number) => void,
): Promise<void> {
  const ort = await import('onnxruntime-node');
  const device = { kind: 'cpu', threads } as const;
  const session = await ort.InferenceSession.create(
    bytes,
    sessionOptions(model, { device, graph: defaultGraph(device) }),
  );
  try {
    const feeds = new Feeds(ort.Tensor, session.inputMetadata, model);
    for (const batch of batches) {
      signal?.throwIfAborted();
      const longest = batch.lengths.reduce((most, length) => Math.max(most, length), 0);
      const results = await session.run(feeds.fill(batch, longest), [...tensors]);
      for (const name of tensors) {
        const tensor = results[name];
        if (tensor !== undefined) takeRows(name, tensor, { batch, longest, model, take });
        tensor?.dispose();
      }
      // Yields to the event loop, so that the work can be stopped.
      await new Promise(setImmediate);
    }
  } finally {
    await session.release();
  }
}

function takeRows(
  name: string,
  { data, dims }: Tensor,
  {
    batch: { lengths },
    longest,
    model,
    take,
  }: {
    batch: EngineBatch;
    longest: number;
    model: EngineModel;
    take: (tensor: string, rows: Float32Array, width: number) => void;
  },
): void {
  if (!(data instanceof Float32Array)) return;
  const width = dims.at(-1) ?? 1;
  const isByToken = data.length === lengths.length * longest * width;
  const isLeft = model.kind === 'dense' && model.padding === 'left';
  take(name, isByToken ? withoutPadding(data, lengths, { longest, dims: width, isLeft }) : data, width);
}

import { access, constants, rename, rm } from 'node:fs/promises';
import type * as onnxruntime from 'onnxruntime-node';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbedmillError } from '@embedmill/jobs';
import { deviceLabel } from '../device.ts';
import type { EngineBatch } from '../engine.ts';
import { Feeds } from './feeds.ts';
import { isOutOfMemory, messageOf } from './ort-error.ts';
import { averageRows, normalizeRows } from './pooling.ts';
import { POOLED, readPooledModel } from './pooling-graph.ts';
import type { EngineModel, SessionTuning } from './protocol.ts';
import { sessionOptions } from './session-options.ts';

type Ort = typeof onnxruntime;

/** Outputs to take the vectors from, best first; all but the first are of models that pool by themselves. */
const SEQUENCE_OUTPUTS = [POOLED, 'sentence_embedding', 'embedding', 'pooler_output'];

/** Sequences × tokens that a new session runs once, so that its memory and threads are there before work is. */
const WARM_UP = [
  [1, 8],
  [8, 64],
] as const;

/** Tokens a sequence of the largest batch, when it is run for warming up. */
const WARM_UP_LENGTH = 128;

/** A loaded model, ready to run. One run at a time: buffers are reused. */
export class ModelSession {
  readonly dims: number;
  readonly #session: InferenceSession;
  readonly #feeds: Feeds;
  readonly #output: string;
  readonly #model: EngineModel;

  private constructor(
    session: InferenceSession,
    feeds: Feeds,
    output: string,
    model: EngineModel,
    dims: number,
  ) {
    this.#session = session;
    this.#feeds = feeds;
    this.#output = output;
    this.#model = model;
    this.dims = dims;
  }

  /**
   * Loads a model and runs it once. Throws `model_unavailable` when the file, the runtime or the device cannot be
   * had now, `model_corrupt` when the file is no model that embedmill can use.
   */
  static async load(model: EngineModel, tuning: SessionTuning): Promise<ModelSession> {
    await access(model.path, constants.R_OK).catch((cause: unknown) => {
      throw new EmbedmillError('model_unavailable', `the model file cannot be read: ${messageOf(cause)}`, {
        cause,
      });
    });
    // Imported only here: the processes that start engines must not load the native library.
    const ort = await import('onnxruntime-node').catch((cause: unknown) => {
      throw new EmbedmillError('model_unavailable', `ONNX Runtime cannot be loaded: ${messageOf(cause)}`, {
        cause,
      });
    });
    try {
      const session = await createSession(ort, model, tuning);
      const feeds = new Feeds(ort.Tensor, session.inputMetadata, model.padTokenId);
      const output = chooseOutput(session.outputMetadata);
      let dims = 0;
      for (const [count, length] of warmUp(tuning)) {
        const ids = new Int32Array(count * length).fill(model.padTokenId);
        const batch = { ids, lengths: new Int32Array(count).fill(length), urgent: false };
        const { [output]: tensor } = await session.run(feeds.fill(batch, length), [output]);
        dims = dimsOf(tensor, model);
      }
      return new ModelSession(session, feeds, output, model, dims);
    } catch (thrown) {
      if (thrown instanceof EmbedmillError) throw thrown;
      throw unloadable(thrown, model, tuning);
    }
  }

  /** The batch's vectors, sequences × dims. Throws what ONNX Runtime throws. */
  async run(batch: EngineBatch): Promise<Float32Array> {
    const { lengths } = batch;
    const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
    const { [this.#output]: tensor } = await this.#session.run(this.#feeds.fill(batch, longest), [
      this.#output,
    ]);
    const vectors = (tensor?.data as Float32Array).slice(0, lengths.length * this.dims);
    tensor?.dispose();
    if (this.#output === POOLED && this.#model.pooling === 'mean') averageRows(vectors, lengths, this.dims);
    return this.#model.normalize ? normalizeRows(vectors, this.dims) : vectors;
  }
}

/** A session of the cached graph where there is one, else of the model, whose graph is cached for the next time. */
async function createSession(ort: Ort, model: EngineModel, tuning: SessionTuning): Promise<InferenceSession> {
  const options = sessionOptions(model, tuning);
  const { graphCache } = tuning;
  if (graphCache !== undefined) {
    try {
      await access(graphCache, constants.R_OK);
      return await ort.InferenceSession.create(graphCache, {
        ...options,
        graphOptimizationLevel: 'disabled',
      });
    } catch {
      // There is none yet, or it is of no use: it is made anew.
    }
  }
  const pooled = await readPooledModel(model.path, model.pooling);
  if (graphCache === undefined) return ort.InferenceSession.create(pooled, options);
  const partial = `${graphCache}.${process.pid}`;
  try {
    const session = await ort.InferenceSession.create(pooled, {
      ...options,
      optimizedModelFilePath: partial,
    });
    await rename(partial, graphCache);
    return session;
  } catch {
    // A folder that cannot be written must not keep the model from being loaded.
    await rm(partial, { force: true });
    return ort.InferenceSession.create(pooled, options);
  }
}

function warmUp({ device, area = 0 }: SessionTuning): (readonly [count: number, length: number])[] {
  const largest = [Math.floor(area / WARM_UP_LENGTH), WARM_UP_LENGTH] as const;
  return device.kind === 'cpu' || largest[0] === 0 ? [...WARM_UP] : [...WARM_UP, largest];
}

function chooseOutput(metadata: readonly InferenceSession.ValueMetadata[]): string {
  const outputs = metadata.flatMap((output) =>
    output.isTensor && output.type === 'float32' && output.shape.length === 2 ? [output.name] : [],
  );
  const output = SEQUENCE_OUTPUTS.find((name) => outputs.includes(name)) ?? outputs[0];
  if (output !== undefined) return output;
  const names = metadata.map(({ name }) => name).join(', ');
  throw new EmbedmillError(
    'model_corrupt',
    `the model has no output of token or sequence vectors; its outputs are ${names}`,
  );
}

function dimsOf(tensor: Tensor | undefined, model: EngineModel): number {
  const dims = tensor?.dims.at(-1) ?? 0;
  if (model.dims !== undefined && model.dims !== dims) {
    throw new EmbedmillError(
      'model_corrupt',
      `the model gives vectors of ${dims} numbers, but is registered with ${model.dims}`,
    );
  }
  return dims;
}

/** On a device other than the CPU, nobody can say from the error whether the file is at fault or the device. */
function unloadable(thrown: unknown, model: EngineModel, { device }: SessionTuning): EmbedmillError {
  const message = messageOf(thrown);
  const options = { cause: thrown };
  if (isOutOfMemory(thrown)) {
    return new EmbedmillError(
      'model_unavailable',
      `${model.path} cannot be loaded; not enough memory: ${message}`,
      options,
    );
  }
  if (device.kind === 'cpu' || thrown instanceof SyntaxError) {
    const text = `${model.path} cannot be loaded; is the file whole? ${message}`;
    return new EmbedmillError('model_corrupt', text, options);
  }
  const needs =
    device.kind === 'cuda'
      ? ' It needs ONNX Runtime’s CUDA libraries beside onnxruntime-node, and a driver.'
      : '';
  const text = `${model.path} cannot be run on ${deviceLabel(device)}; does it run on the cpu?${needs} ${message}`;
  return new EmbedmillError('model_unavailable', text, options);
}

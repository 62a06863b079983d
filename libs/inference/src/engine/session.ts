import { access, constants, rename, rm } from 'node:fs/promises';
import type * as onnxruntime from 'onnxruntime-node';
import type { InferenceSession } from 'onnxruntime-node';
import { EmbedmillError } from '@embedmill/jobs';
import { deviceLabel } from '../device.ts';
import type { EngineBatch, EngineOutput, EngineResult } from '../engine.ts';
import { Feeds } from './feeds.ts';
import { isOutOfMemory, messageOf } from './ort-error.ts';
import { readModelGraph } from './output-graph.ts';
import { dimsOf, outputNames, readOutput, type OutputNames } from './outputs.ts';
import type { EngineModel, SessionTuning } from './protocol.ts';
import { sessionOptions } from './session-options.ts';

type Ort = typeof onnxruntime;

/** The sequences × tokens that a new session runs once, to set up its memory and threads in advance. */
const WARM_UP = [
  [1, 8],
  [8, 64],
] as const;

/** Tokens per sequence when the largest batch runs as a warm-up. */
const WARM_UP_LENGTH = 128;

/** A loaded model, ready to run. One run at a time, because buffers are reused. */
export class ModelSession {
  readonly dims: number;
  readonly outputs: readonly EngineOutput[];
  readonly #session: InferenceSession;
  readonly #feeds: Feeds;
  readonly #names: OutputNames;
  readonly #model: EngineModel;

  private constructor(
    session: InferenceSession,
    feeds: Feeds,
    names: OutputNames,
    model: EngineModel,
    dims: number,
  ) {
    this.#session = session;
    this.#feeds = feeds;
    this.#names = names;
    this.#model = model;
    this.dims = dims;
    this.outputs = [...names.keys()];
  }

  /**
   * Loads a model and runs it once. Throws `model_unavailable` if the file, the runtime or the device is unavailable,
   * `model_corrupt` if embedmill cannot use the file as a model.
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
      const feeds = new Feeds(ort.Tensor, session.inputMetadata, model);
      const names = outputNames(model, session.outputMetadata);
      const [usual = ''] = names.values();
      let dims = 0;
      for (const [count, length] of warmUp(tuning)) {
        const ids = new Int32Array(count * length).fill(model.padTokenId);
        const batch = { ids, lengths: new Int32Array(count).fill(length), urgent: false };
        const { [usual]: tensor } = await session.run(feeds.fill(batch, length), [usual]);
        dims = dimsOf(model, tensor);
        tensor?.dispose();
      }
      return new ModelSession(session, feeds, names, model, dims);
    } catch (thrown) {
      if (thrown instanceof EmbedmillError) throw thrown;
      throw unloadable(thrown, model, tuning);
    }
  }

  /**
   * The outputs that the batch asks for. Throws what ONNX Runtime throws, and `engine_failed` for outputs that the
   * model does not have.
   */
  async run(batch: EngineBatch): Promise<Omit<EngineResult, 'seconds'>> {
    const { lengths, outputs = this.outputs.slice(0, 1) } = batch;
    const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
    const wanted = outputs.map((output) => [output, this.#nameOf(output)] as const);
    const tensors = await this.#session.run(
      this.#feeds.fill(batch, longest),
      wanted.map(([, name]) => name),
    );
    let result: Omit<EngineResult, 'seconds'> = { vectors: new Float32Array() };
    for (const [output, name] of wanted) {
      const tensor = tensors[name];
      if (tensor === undefined) continue;
      result = { ...result, ...readOutput(output, tensor, name, batch, this.#model) };
      tensor.dispose();
    }
    return result;
  }

  #nameOf(output: EngineOutput): string {
    const name = this.#names.get(output);
    if (name !== undefined) return name;
    throw new EmbedmillError(
      'engine_failed',
      `the model has no output ${output}; it has ${this.outputs.join(', ')}`,
    );
  }
}

/** A session of the cached graph if there is one, else of the model, whose optimized graph is then cached. */
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
      // There is no cached graph, or it is unusable: create it again.
    }
  }
  const extended = await readModelGraph(model);
  if (graphCache === undefined) return ort.InferenceSession.create(extended, options);
  const partial = `${graphCache}.${process.pid}`;
  try {
    const session = await ort.InferenceSession.create(extended, {
      ...options,
      optimizedModelFilePath: partial,
    });
    await rename(partial, graphCache);
    return session;
  } catch {
    // The model must load even if the folder cannot be written.
    await rm(partial, { force: true });
    return ort.InferenceSession.create(extended, options);
  }
}

function warmUp({ device, area = 0 }: SessionTuning): (readonly [count: number, length: number])[] {
  const largest = [Math.floor(area / WARM_UP_LENGTH), WARM_UP_LENGTH] as const;
  return device.kind === 'cpu' || largest[0] === 0 ? [...WARM_UP] : [...WARM_UP, largest];
}

/** On a device other than the CPU, the error does not tell whether the file or the device is at fault. */
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
    const text = `${model.path} cannot be loaded; is the file complete? ${message}`;
    return new EmbedmillError('model_corrupt', text, options);
  }
  const needs =
    device.kind === 'cuda'
      ? ' It needs ONNX Runtime’s CUDA libraries beside onnxruntime-node, and a driver.'
      : '';
  const text = `${model.path} cannot be run on ${deviceLabel(device)}; does it run on the CPU?${needs} ${message}`;
  return new EmbedmillError('model_unavailable', text, options);
}

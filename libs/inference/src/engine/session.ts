import { access, constants } from 'node:fs/promises';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbedmillError } from '@embedmill/jobs';
import type { EngineBatch } from '../engine.ts';
import { Feeds } from './feeds.ts';
import { isOutOfMemory, messageOf } from './ort-error.ts';
import { normalizeRows, poolTokens } from './pooling.ts';
import type { EngineModel, SessionTuning } from './protocol.ts';

/** Outputs to take the vectors from, best first: of tokens (to be pooled), then of whole sequences. */
const TOKEN_OUTPUTS = ['last_hidden_state', 'token_embeddings'];
const SEQUENCE_OUTPUTS = ['sentence_embedding', 'embedding', 'pooler_output'];

/** Sequences × tokens that a new session runs once, so that its memory and threads are there before work is. */
const WARM_UP = [
  [1, 8],
  [8, 64],
] as const;

interface Output {
  name: string;
  rank: number;
}

/** A loaded model, ready to run. One run at a time: buffers are reused. */
export class ModelSession {
  readonly dims: number;
  readonly #session: InferenceSession;
  readonly #feeds: Feeds;
  readonly #output: Output;
  readonly #model: EngineModel;

  private constructor(
    session: InferenceSession,
    feeds: Feeds,
    output: Output,
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
   * Loads a model and runs it once. Throws `model_unavailable` when the file or the runtime cannot be had now,
   * `model_corrupt` when the file is no model that embedmill can use.
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
      const session = await ort.InferenceSession.create(model.path, sessionOptions(tuning));
      const feeds = new Feeds(ort.Tensor, session.inputMetadata, model.padTokenId);
      const output = chooseOutput(session.outputMetadata);
      let dims = 0;
      for (const [count, length] of WARM_UP) {
        const ids = new Int32Array(count * length).fill(model.padTokenId);
        const batch = { ids, lengths: new Int32Array(count).fill(length), urgent: false };
        const { [output.name]: tensor } = await session.run(feeds.fill(batch, length), [output.name]);
        dims = dimsOf(tensor, model);
      }
      return new ModelSession(session, feeds, output, model, dims);
    } catch (thrown) {
      if (thrown instanceof EmbedmillError) throw thrown;
      const code = isOutOfMemory(thrown) ? 'model_unavailable' : 'model_corrupt';
      const advice = code === 'model_corrupt' ? 'is the file whole? ' : 'not enough memory: ';
      throw new EmbedmillError(code, `${model.path} cannot be loaded; ${advice}${messageOf(thrown)}`, {
        cause: thrown,
      });
    }
  }

  /** The batch's vectors, sequences × dims. Throws what ONNX Runtime throws. */
  async run(batch: EngineBatch): Promise<Float32Array> {
    const { lengths } = batch;
    const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
    const { name, rank } = this.#output;
    const { [name]: tensor } = await this.#session.run(this.#feeds.fill(batch, longest), [name]);
    const data = tensor?.data as Float32Array;
    const vectors =
      rank === 3
        ? poolTokens(data, lengths, longest, this.dims, this.#model.pooling)
        : data.slice(0, lengths.length * this.dims);
    tensor?.dispose();
    return this.#model.normalize ? normalizeRows(vectors, this.dims) : vectors;
  }
}

function sessionOptions(tuning: SessionTuning): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: tuning.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: tuning.graphOptimization,
    // Errors are thrown; the log would say them a second time, on the worker's stderr.
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: tuning.spinning ? '1' : '0' } } },
  };
}

function chooseOutput(metadata: readonly InferenceSession.ValueMetadata[]): Output {
  const outputs = metadata.flatMap((output) =>
    output.isTensor && output.type === 'float32' ? [{ name: output.name, rank: output.shape.length }] : [],
  );
  const pick = (rank: number, preferred: string[]) =>
    preferred.flatMap(
      (name) => outputs.find((output) => output.name === name && output.rank === rank) ?? [],
    )[0] ?? outputs.find((output) => output.rank === rank);
  const output = pick(3, TOKEN_OUTPUTS) ?? pick(2, SEQUENCE_OUTPUTS);
  if (output !== undefined) return output;
  const names = metadata.map(({ name }) => name).join(', ');
  throw new EmbedmillError(
    'model_corrupt',
    `the model has no float32 output of token or sequence vectors; its outputs are ${names}`,
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

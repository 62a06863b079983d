/**
 * A model in its own engine processes: turns texts into vectors with the planner and the engines of a worker.
 *
 * Modes: open → closed. Invariants: streams and single texts share batches; a returned vector is the caller's own; once
 * closed, there are no engine processes. They also end when this process ends, in whatever way.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { availableCpus, parseDevices } from '@embedmill/inference';
import { EmbedmillError } from '@embedmill/jobs';
import { dimsOf } from '@embedmill/models';
import { shortened } from '@embedmill/retrieval';
import { Tokenizer } from '@embedmill/tokenization';
import { machineFor } from './calibration.ts';
import { assertDense, chosenModel, type DenseModel } from './chosen-model.ts';
import { Encoder } from './encoder.ts';
import { calibratedPlan, type EnginePlan } from './engine-plan.ts';
import { startEngines } from './engines.ts';
import type { Embedder, EmbedderOptions, StreamOptions, TextOptions, Texts } from './interface.ts';
import { vectorsInOrder, type TextGroup } from './text-stream.ts';

const DEFAULT_MODEL = 'all-MiniLM-L6-v2';
const DEFAULT_GROUP = 256;
/** Vectors are returned in the order of their texts, so one that is deferred for long delays all after it. */
const PUT_OFF_MS = 1000;
/** A batch that takes longer counts as hung. */
const BATCH_DEADLINE_MS = 60_000;

export class ModelEmbedder implements Embedder {
  readonly model: string;
  readonly dims: number;
  readonly maxTokens: number;
  readonly #facts: Pick<DenseModel, 'name' | 'dims' | 'matryoshka' | 'adapters'>;
  readonly #tokenizer: Tokenizer;
  readonly #encoder: Encoder;
  #closed: Promise<void> | undefined;

  private constructor(model: DenseModel, tokenizer: Tokenizer, encoder: Encoder) {
    this.model = model.name;
    this.dims = model.dims;
    this.maxTokens = model.maxTokens;
    this.#facts = model;
    this.#tokenizer = tokenizer;
    this.#encoder = encoder;
  }

  /** A model on engines as planned, warm. Errors: `model_unavailable`, `model_corrupt`, the signal's reason. */
  static async start(
    model: DenseModel,
    plan: EnginePlan,
    { onBatch, signal }: Pick<EmbedderOptions, 'onBatch' | 'signal'> = {},
  ): Promise<ModelEmbedder> {
    const { tokenizerPath: path, maxTokens, documentPrefix, queryPrefix } = model;
    const tokenizer = await Tokenizer.load({ path, maxTokens, documentPrefix, queryPrefix });
    signal?.throwIfAborted();
    const engines = await startEngines(model, { plan, batchDeadlineMs: BATCH_DEADLINE_MS });
    const { area, launchCost } = plan;
    const hooks = onBatch === undefined ? {} : { onBatch };
    const encoder = new Encoder({ engines, budget: { area, launchCost, deadlineMs: PUT_OFF_MS }, hooks });
    const embedder = new ModelEmbedder(model, tokenizer, encoder);
    if (signal?.aborted === true) await embedder.close();
    signal?.throwIfAborted();
    return embedder;
  }

  async *embed(texts: Texts, options: StreamOptions = {}): AsyncGenerator<Float32Array[], void, void> {
    const { group = DEFAULT_GROUP, signal } = options;
    if (!Number.isInteger(group) || group < 1)
      throw new EmbedmillError('invalid_request', `group: ${group} is not a number of texts; use 1 or more`);
    const dims = dimsOf(this.#facts, options.dimensions);
    yield* vectorsInOrder(texts, group, signal, (some, ended) =>
      this.#vectorsOf(some, { ...options, signal: ended }, dims).catch((thrown: unknown) => {
        throw this.#closed === undefined ? thrown : closed();
      }),
    );
  }

  async embedOne(text: string, options: TextOptions = {}): Promise<Float32Array> {
    for await (const [vector] of this.embed([text], options)) if (vector !== undefined) return vector;
    throw new EmbedmillError('internal', 'there is no vector');
  }

  close(): Promise<void> {
    this.#closed ??= this.#encoder.abandon();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #vectorsOf(
    { texts, first }: TextGroup,
    { role = 'document', signal, onTruncated }: TextOptions,
    dims: number,
  ): Promise<Float32Array[]> {
    const read = await this.#tokenizer.encode(texts, role);
    for (const [n, { truncated, tokens }] of read.entries())
      if (truncated) onTruncated?.({ index: first + n, tokens });
    signal?.throwIfAborted();
    const adapter = this.#facts.adapters?.[role];
    const sequences = adapter === undefined ? read : read.map(({ ids }) => ({ ids, adapter }));
    const outcomes = await this.#encoder.encode(sequences, 'bulk', undefined, signal);
    return outcomes.map((outcome, n) => {
      if (outcome.ok) return cut(outcome.vector, dims);
      throw new EmbedmillError(outcome.error.code, `texts/${first + n}: ${outcome.error.message}`, {
        cause: outcome.error,
      });
    });
  }
}

/**
 * The requested model, on this machine. Errors: `model_not_found`, `model_unavailable`, `model_corrupt`, and
 * `invalid_config` for a missing device or an impossible number of CPUs.
 */
export async function startEmbedder(options: EmbedderOptions): Promise<Embedder> {
  const {
    model: choice = DEFAULT_MODEL,
    threads = availableCpus(),
    device = 'cpu',
    batchArea: area,
  } = options;
  const { cacheFolder = join(homedir(), '.cache', 'embedmill'), signal } = options;
  if (!Number.isInteger(threads) || threads < 1)
    throw new EmbedmillError('invalid_config', `threads: ${threads} is not a number of CPUs; use 1 or more`);
  const devices = parseDevices(device);
  const chosen = await chosenModel(choice, { cacheDir: cacheFolder, signal });
  const { plan, model } = await calibratedPlan(chosen.model, chosen.options, {
    devices,
    machine: machineFor(devices[0].kind, threads),
    modelCacheFolder: cacheFolder,
    tensorrt: false,
    area,
  });
  return ModelEmbedder.start(assertDense(model), plan, options);
}

/** A copy, because equal texts share the encoder's result. */
function cut(vector: Float32Array, dims: number): Float32Array {
  const own = shortened(vector, dims);
  return own === vector ? vector.slice() : own;
}

function closed(): EmbedmillError {
  return new EmbedmillError('no_worker', 'the embedder is closed');
}

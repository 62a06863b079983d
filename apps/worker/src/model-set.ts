import type { Logger } from 'pino';
import { asEmbedmillError, type EmbedmillError } from '@embedmill/jobs';
import { availableCpus, deviceLabel, type EngineEvent } from '@embedmill/inference';
import type { Metrics } from '@embedmill/metrics';
import { resolveModel, type DownloadProgress, type ResolvedModel } from '@embedmill/models';
import type { ModelConsumer } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { machineFor, readCalibration } from './calibration.ts';
import type { WorkerConfig } from './config.ts';
import { planEngines, type EnginePlan } from './engine-plan.ts';
import { settleShard } from './pipeline.ts';
import { ServedModel } from './served-model.ts';

/** How often models that have come into use are looked for, in milliseconds. */
const LOOK_MS = 500;
/** The longest pause before a model that could not be loaded is tried again. */
const LONGEST_PAUSE_MS = 30_000;
/** How often a download says how far it is. */
const TELL_MS = 5000;

export interface ModelSetParts {
  consumer: ModelConsumer;
  spool: Spool;
  store: VectorStore;
  metrics: Metrics<'worker'>;
  log: Logger;
}

/**
 * The models that this worker serves: those it was told to, or those that collections and queries use, which
 * it looks up again and again. A model is loaded once; one that cannot be loaded is tried again with longer and
 * longer pauses, and meanwhile its shards wait on the queue.
 */
export class ModelSet {
  readonly #config: WorkerConfig;
  readonly #parts: ModelSetParts;
  readonly #served = new Map<string, ServedModel>();
  readonly #failed = new Map<string, { error: EmbedmillError; pauseMs: number; again: number }>();
  readonly #loading = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(config: WorkerConfig, parts: ModelSetParts) {
    this.#config = config;
    this.#parts = parts;
  }

  start(): void {
    void this.#look().finally(() => {
      if (!this.#stopped.signal.aborted) this.#timer = setTimeout(() => this.start(), LOOK_MS);
    });
  }

  /** Loads no more, and breaks downloads off; they resume another time. */
  stop(): void {
    this.#stopped.abort(new Error('the worker is stopping'));
    clearTimeout(this.#timer);
  }

  /** Throws when a model that is wanted could not be loaded. */
  assertLoaded(): void {
    for (const { error } of this.#failed.values()) throw error;
  }

  /** Resolves when no model is being loaded any more. */
  async drained(): Promise<void> {
    await Promise.allSettled(this.#loading.values());
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#served.values()].map((model) => model.close()));
  }

  /** One model's download keeps no other from being loaded. */
  async #look(): Promise<void> {
    const wanted = this.#config.models ?? (await this.#parts.consumer.modelsInUse().catch(() => []));
    for (const name of wanted) {
      if (this.#stopped.signal.aborted || this.#served.has(name) || this.#loading.has(name)) continue;
      if ((this.#failed.get(name)?.again ?? 0) > Date.now()) continue;
      const loading = this.#load(name)
        .catch((thrown: unknown) => this.#noteFailure(name, thrown))
        .finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
    }
  }

  #noteFailure(name: string, thrown: unknown): void {
    if (this.#stopped.signal.aborted) return;
    const error = asEmbedmillError(thrown, 'model_unavailable');
    const pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * (this.#failed.get(name)?.pauseMs ?? 500));
    this.#failed.set(name, { error, pauseMs, again: Date.now() + pauseMs });
    this.#parts.log.error({ model: name, code: error.code }, error.message);
    this.#tell(name, error);
  }

  #tell(name: string, reason: { code: string; message: string } | null): void {
    void this.#parts.consumer.reportTrouble(name, reason).catch(() => {
      // The queue is away, and so is whoever would have been told.
    });
  }

  async #load(name: string): Promise<void> {
    const { consumer, spool, store, metrics, log } = this.#parts;
    const { modelsFolder, modelCacheFolder, hubUrl, batchDeadlineMs } = this.#config;
    const resolved = await resolveModel(name, {
      modelsDir: modelsFolder,
      cacheDir: modelCacheFolder,
      hubUrl,
      signal: this.#stopped.signal,
      onProgress: this.#progressTeller(name),
    });
    const model = await ServedModel.load(resolved, {
      plan: await this.#planFor(resolved),
      batchDeadlineMs,
      onBatch: ({ lane, items, tokens, paddedTokens, seconds }) => {
        metrics.batchSeconds.observe(seconds, { lane });
        metrics.batchItems.observe(items, { lane });
        metrics.batchTokens.observe(tokens, { lane });
        metrics.tokens.add(tokens, { model: name, lane });
        metrics.paddingTokens.add(paddedTokens - tokens, { model: name, lane });
      },
      onEngineEvent: (event) => this.#note(name, event),
    });
    this.#served.set(name, model);
    this.#failed.delete(name);
    this.#tell(name, null);
    consumer.serve(name, {
      shard: (shard, attempt) => settleShard(shard, attempt, { spool, store, metrics, model }),
      query: (query) => model.answer(query),
    });
    log.info({ model: name, revision: model.revision }, 'serving');
  }

  async #planFor(model: ResolvedModel): Promise<EnginePlan> {
    const { devices, cpus, modelCacheFolder, tensorrt, batchArea } = this.#config;
    const machine = machineFor(devices[0].kind, cpus ?? availableCpus());
    const calibration = await readCalibration(modelCacheFolder, model, machine);
    const settings = { devices, machine, modelCacheFolder, tensorrt, area: batchArea };
    const plan = planEngines(model, settings, calibration);
    this.#parts.log.info(
      {
        model: model.name,
        devices: plan.devices.map(deviceLabel),
        threads: plan.devices[0].kind === 'cpu' ? plan.devices[0].threads : undefined,
        area: plan.area,
        measured: calibration?.measuredAt ?? 'not on this machine; "embedmill bench --calibrate" does it',
      },
      'starting engines',
    );
    return plan;
  }

  #progressTeller(name: string): (progress: DownloadProgress) => void {
    let toldAt = Date.now();
    return ({ file, receivedBytes, totalBytes }) => {
      if (Date.now() - toldAt < TELL_MS) return;
      toldAt = Date.now();
      const megabytes = (bytes: number) => Math.round(bytes / 1e6);
      const total = totalBytes === undefined ? '' : ` of ${megabytes(totalBytes)}`;
      const message = `downloading ${file} of ${name}: ${megabytes(receivedBytes)}${total} MB`;
      this.#parts.log.info({ model: name }, message);
      this.#tell(name, { code: 'model_unavailable', message });
    };
  }

  #note(model: string, event: EngineEvent): void {
    const { log, metrics } = this.#parts;
    switch (event.kind) {
      case 'ready':
        log.info({ model, pid: event.pid, seconds: event.seconds }, 'the engine is ready');
        return;
      case 'died':
        metrics.engineRestarts.add(1, {
          reason: event.error.code === 'engine_timeout' ? 'timeout' : 'crash',
        });
        log.warn(
          { model, pid: event.pid, code: event.error.code, inFlight: event.inFlight },
          event.error.message,
        );
        return;
      case 'down':
        log.error({ model, code: event.error.code }, event.error.message);
        return;
    }
  }
}

import { calibratedPlan, machineFor } from '@embedmill/embed/pipeline';
import { asEmbedmillError, EmbedmillError } from '@embedmill/jobs';
import { availableCpus, type EngineEvent, type RemoteEngineEvent } from '@embedmill/inference';
import { withLogFields, type Log } from '@embedmill/logs';
import type { Metrics } from '@embedmill/metrics';
import {
  findModel,
  resolveModel,
  resolveTokenizer,
  type DownloadProgress,
  type ResolveOptions,
} from '@embedmill/models';
import type { ModelConsumer, WorkerState } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import type { Tracing } from '@embedmill/tracing';
import type { VectorStore } from '@embedmill/vector-store';
import type { RemoteConfig, WorkerConfig } from './config.ts';
import { startCounting } from './document-counts.ts';
import { EngineGauges } from './engine-gauges.ts';
import { connectRemote, startEngineSet, type EngineSet } from './engines.ts';
import type { PictureSources } from './document-pictures.ts';
import { EngineTime } from './engine-time.ts';
import { ModelStates } from './model-states.ts';
import { settleShard } from './pipeline.ts';
import { ServedModel, type ServedEntry } from './served-model.ts';
import type { Watchdog } from './watchdog.ts';

/** How often to check for models that have come into use, in milliseconds. */
const LOOK_MS = 500;
/** The longest pause before loading a failed model is retried. */
const LONGEST_PAUSE_MS = 30_000;
/** How often a download reports its progress. */
const TELL_MS = 5000;

export interface ModelSetParts {
  consumer: ModelConsumer;
  spool: Spool;
  store: VectorStore;
  metrics: Metrics<'worker'>;
  log: Log;
  /** Where documents' pictures may be. */
  pictures: PictureSources;
  /** None by default. */
  tracing?: Tracing;
  watchdog: Watchdog;
}

/** A model's entry, and the function that starts its engines. */
interface Prepared {
  entry: ServedEntry;
  start: () => Promise<EngineSet>;
}

/**
 * The models that this worker serves: the configured ones, or those that collections and queries use, which it looks up
 * periodically. A model is loaded once; a failed load is retried with growing pauses, while the model's shards wait on
 * the queue.
 */
export class ModelSet {
  readonly #config: WorkerConfig;
  readonly #parts: ModelSetParts;
  readonly #served = new Map<string, ServedModel>();
  readonly #engineTime = new EngineTime();
  readonly #failed = new Map<string, { error: EmbedmillError; pauseMs: number; again: number }>();
  readonly #loading = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();
  /** Models that should be served, as of the last look-up. */
  #wanted: string[] | undefined;
  readonly #engines: EngineGauges;
  readonly #states = new ModelStates(performance.now());
  #engineRestarts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(config: WorkerConfig, parts: ModelSetParts) {
    this.#config = config;
    this.#parts = parts;
    this.#engines = new EngineGauges(parts.metrics);
  }

  start(): void {
    void this.#look().finally(() => {
      if (!this.#stopped.signal.aborted) this.#timer = setTimeout(() => this.start(), LOOK_MS);
    });
  }

  /** Stops loading and aborts downloads, which resume another time. */
  stop(): void {
    this.#stopped.abort(new Error('the worker is stopping'));
    clearTimeout(this.#timer);
  }

  /** Throws if a wanted model is not loaded and warm, with the reason if loading failed. */
  assertLoaded(): void {
    if (this.#wanted === undefined) throw notYet('the models in use are not known yet');
    for (const name of this.#wanted) {
      if (this.#served.has(name)) continue;
      throw this.#failed.get(name)?.error ?? notYet(`${name} is being loaded`);
    }
  }

  /**
   * A model that a shard needs in addition to that of its queue, loaded if necessary, even if this worker is not
   * configured to serve it. Rejects with the reason if it cannot be loaded now.
   */
  async get(name: string): Promise<ServedModel> {
    const failed = this.#failed.get(name);
    if (failed !== undefined && failed.again > Date.now()) throw failed.error;
    if (!this.#served.has(name)) await (this.#loading.get(name) ?? this.#startLoading(name));
    const model = this.#served.get(name);
    if (model === undefined) throw this.#failed.get(name)?.error ?? notYet(`${name} is not loaded`);
    return model;
  }

  /** The state of each model, and what ran since the last call. */
  describe(): WorkerState {
    return {
      models: this.#states.take(performance.now()),
      memoryBytes: process.memoryUsage.rss(),
      engineRestarts: this.#engineRestarts,
    };
  }

  get isLoading(): boolean {
    return this.#loading.size > 0;
  }

  /** Resolves when no model is being loaded. */
  async drained(): Promise<void> {
    await Promise.allSettled(this.#loading.values());
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#served.values()].map((model) => model.close()));
  }

  /** The download of one model does not block the loading of others. */
  async #look(): Promise<void> {
    this.#wanted = this.#config.models ?? (await this.#parts.consumer.modelsInUse().catch(() => []));
    for (const name of this.#wanted) {
      if (this.#stopped.signal.aborted || this.#served.has(name) || this.#loading.has(name)) continue;
      if ((this.#failed.get(name)?.again ?? 0) > Date.now()) continue;
      void this.#startLoading(name);
    }
  }

  #startLoading(name: string): Promise<void> {
    this.#parts.consumer.noteLoading(name);
    this.#states.loading(name);
    const loading = this.#load(name)
      .catch((thrown: unknown) => this.#noteFailure(name, thrown))
      .finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  #noteFailure(name: string, thrown: unknown): void {
    if (this.#stopped.signal.aborted) return;
    const error = asEmbedmillError(thrown, 'model_unavailable');
    const pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * (this.#failed.get(name)?.pauseMs ?? 500));
    this.#failed.set(name, { error, pauseMs, again: Date.now() + pauseMs });
    this.#states.failed(name, error);
    this.#parts.log.error({ model: name, code: error.code }, error.message);
    this.#tell(name, error);
  }

  #tell(name: string, reason: { code: string; message: string } | null): void {
    void this.#parts.consumer.reportTrouble(name, reason).catch(() => {
      // The queue is unavailable, and with it whoever would have been notified.
    });
  }

  async #load(name: string): Promise<void> {
    const { consumer, spool, store, metrics, log, pictures, tracing, watchdog } = this.#parts;
    const { entry, start } = await this.#prepare(name);
    const model = await ServedModel.load(entry, {
      start,
      onBatchFailed: ({ error, ...failure }) => {
        const level = failure.next === 'failed' ? 'warn' : 'info';
        log[level]({ model: name, ...failure, code: error.code, err: error }, 'a batch failed');
      },
      onBatch: ({ batch, lane, items, tokens, paddedTokens, seconds, tokensByShard }) => {
        this.#engineTime.add(seconds, tokensByShard);
        this.#states.ran(name, tokens);
        metrics.engineSeconds.add(seconds, { model: name, lane });
        watchdog.progressed();
        log.trace({ model: name, batch, lane, items, tokens, seconds }, 'ran a batch');
        metrics.batchSeconds.observe(seconds, { lane });
        metrics.batchItems.observe(items, { lane });
        metrics.batchTokens.observe(tokens, { lane });
        metrics.tokens.add(tokens, { model: name, lane });
        metrics.paddingTokens.add(paddedTokens - tokens, { model: name, lane });
      },
    });
    this.#served.set(name, model);
    this.#failed.delete(name);
    this.#states.serving(name);
    this.#tell(name, null);
    startCounting(name, metrics);
    consumer.serve(name, {
      shard: (shard, attempt) =>
        withLogFields({ job: shard.job, shard: shard.index }, () =>
          watchdog
            .during(() =>
              settleShard(shard, attempt, {
                spool,
                store,
                metrics,
                log,
                pictures,
                engineTime: this.#engineTime,
                ...(tracing === undefined ? {} : { tracing }),
                models: { own: model, get: (other) => this.get(other) },
              }),
            )
            .catch((thrown: unknown) => {
              const { code, message } = asEmbedmillError(thrown);
              log.warn({ code }, `a shard will be retried: ${message}`);
              throw thrown;
            }),
        ),
      query: (query) => model.answer(query),
    });
    log.info({ model: name, revision: model.revision }, 'serving');
  }

  /** Downloads the needed files; `start` then starts the engines, which may take memory. */
  async #prepare(name: string): Promise<Prepared> {
    const { modelsFolder: modelsDir, modelCacheFolder: cacheDir, hubUrl, remote } = this.#config;
    const options = {
      modelsDir,
      cacheDir,
      hubUrl,
      signal: this.#stopped.signal,
      onProgress: this.#progressTeller(name),
    };
    // A remote server gives only dense vectors.
    const isRemote = remote !== undefined && (await findModel(name, options)).kind === 'dense';
    return isRemote ? this.#prepareRemote(name, remote, options) : this.#prepareHere(name, options);
  }

  async #prepareRemote(name: string, remote: RemoteConfig, options: ResolveOptions): Promise<Prepared> {
    const { batchDeadlineMs } = this.#config;
    const entry = await resolveTokenizer(name, options);
    this.#states.startingRemote(name);
    const onEvent = (event: RemoteEngineEvent) => this.#noteRemote(name, event);
    return {
      // Which weights it runs is unknown.
      entry: { ...entry, revision: `remote:${remote.model ?? name}` },
      start: () => connectRemote(entry, remote, { batchDeadlineMs, onEvent }),
    };
  }

  async #prepareHere(name: string, options: ResolveOptions): Promise<Prepared> {
    const { modelCacheFolder, batchDeadlineMs, devices, cpus, tensorrt, batchArea } = this.#config;
    const machine = machineFor(devices[0].kind, cpus ?? availableCpus());
    const own = await resolveModel(name, options);
    const settings = { devices, machine, modelCacheFolder, tensorrt, area: batchArea };
    const { model, plan, calibration } = await calibratedPlan(own, options, settings);
    const start = (): Promise<EngineSet> => {
      this.#states.starting(name, plan.devices, calibration);
      this.#parts.log.info(
        {
          model: name,
          devices: plan.devices,
          graph: plan.graph,
          area: plan.area,
          measured: calibration?.measuredAt ?? 'never here; "embedmill bench --calibrate" does it',
        },
        'starting engines',
      );
      const onEngineEvent = (event: EngineEvent) => this.#note(name, event);
      return startEngineSet(model, { plan, batchDeadlineMs, onEngineEvent });
    };
    return { entry: model, start };
  }

  #progressTeller(name: string): (progress: DownloadProgress) => void {
    let toldAt = Date.now();
    return (progress) => {
      this.#states.downloading(name, progress);
      const { file, receivedBytes, totalBytes } = progress;
      if (Date.now() - toldAt < TELL_MS) return;
      toldAt = Date.now();
      const megabytes = (bytes: number) => Math.round(bytes / 1e6);
      const total = totalBytes === undefined ? '' : ` of ${megabytes(totalBytes)}`;
      const message = `downloading ${file} of ${name}: ${megabytes(receivedBytes)}${total} MB`;
      this.#parts.log.info({ model: name }, message);
      this.#tell(name, { code: 'model_unavailable', message });
    };
  }

  #noteRemote(model: string, event: RemoteEngineEvent): void {
    const { log } = this.#parts;
    switch (event.kind) {
      case 'connected': {
        const { api, model: nameThere, maxItems } = event;
        log.info({ model, api, nameThere, maxItems }, 'connected to the remote embedding server');
        return;
      }
      case 'retrying':
        log.warn({ model, pauseMs: event.pauseMs }, event.reason);
        return;
      case 'limited':
        log.info({ model, maxItems: event.maxItems }, 'the remote server limits the items per request');
        return;
    }
  }

  #note(model: string, event: EngineEvent): void {
    const { log, metrics } = this.#parts;
    this.#engines.note(event);
    switch (event.kind) {
      case 'ready':
        log.info({ model, engine: event.pid, seconds: event.seconds }, 'the engine is ready');
        return;
      case 'died':
        this.#engineRestarts += 1;
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

function notYet(message: string): EmbedmillError {
  return new EmbedmillError('model_unavailable', message, { retryAfter: 1 });
}

import type { Logger } from 'pino';
import { asEmbedmillError, type EmbedmillError } from '@embedmill/jobs';
import { availableCpus, defaultLayout, type EngineEvent } from '@embedmill/inference';
import { createMetrics, serveHealth, type Metrics } from '@embedmill/metrics';
import { resolveModel } from '@embedmill/models';
import { ModelConsumer } from '@embedmill/queue';
import { Spool } from '@embedmill/sources';
import { openStore, type VectorStore } from '@embedmill/vector-store';
import type { WorkerConfig } from './config.ts';
import { settleShard } from './pipeline.ts';
import { ServedModel } from './served-model.ts';

/** How often models that have come into use are looked for, in milliseconds. */
const LOOK_MS = 500;
/** The longest pause before a model that could not be loaded is tried again. */
const LONGEST_PAUSE_MS = 30_000;

export interface RunningWorker {
  /** Where /metrics, /healthz and /readyz are. */
  url: string;
  /** Finishes the shards in hand, or gives them up after the drain time: others take them then. */
  close(): Promise<void>;
}

/** A running worker. Errors: `queue_unavailable`, `queue_may_evict`, `store_unavailable`, `spool_unavailable`. */
export async function startWorker(config: WorkerConfig, log: Logger): Promise<RunningWorker> {
  const metrics = createMetrics('worker');
  const spool = await Spool.open(config.spoolFolder);
  const store = await openStore({
    qdrantUrl: config.qdrantUrl,
    qdrantApiKey: config.qdrantApiKey,
    socket: config.storeSocket,
  });
  const consumer = await ModelConsumer.open({
    redisUrl: config.redisUrl,
    shardConcurrency: config.shards,
    queryConcurrency: 32,
    lockMs: config.lockMs,
    onError: (error) => log.warn({ err: error }, 'lost touch with the queue'),
  });
  const models = new ModelSet(config, { consumer, spool, store, metrics, log });
  models.start();
  const health = await serveHealth({
    host: config.host,
    port: config.port,
    metrics,
    live: { loop: () => Promise.resolve() },
    ready: {
      queue: () => consumer.ping(),
      store: () => store.ping(),
      models: async () => models.assertLoaded(),
    },
  });
  return {
    url: health.url,
    async close() {
      models.stop();
      const drained = Promise.all([consumer.close(), models.drained()]);
      await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, config.drainMs).unref())]);
      await models.close();
      await health.close();
      await store.close();
    },
  };
}

interface ModelSetParts {
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
class ModelSet {
  readonly #config: WorkerConfig;
  readonly #parts: ModelSetParts;
  readonly #served = new Map<string, ServedModel>();
  readonly #failed = new Map<string, { error: EmbedmillError; pauseMs: number; again: number }>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(config: WorkerConfig, parts: ModelSetParts) {
    this.#config = config;
    this.#parts = parts;
  }

  start(): void {
    this.#looking = this.#look().finally(() => {
      if (!this.#stopped) this.#timer = setTimeout(() => this.start(), LOOK_MS);
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Throws when a model that is wanted could not be loaded. */
  assertLoaded(): void {
    for (const { error } of this.#failed.values()) throw error;
  }

  /** Resolves when no model is being loaded any more. */
  drained(): Promise<void> {
    return this.#looking;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#served.values()].map((model) => model.close()));
  }

  async #look(): Promise<void> {
    const wanted = this.#config.models ?? (await this.#parts.consumer.modelsInUse().catch(() => []));
    for (const name of wanted) {
      if (this.#stopped || this.#served.has(name)) continue;
      if ((this.#failed.get(name)?.again ?? 0) > Date.now()) continue;
      await this.#load(name).catch((thrown: unknown) => {
        const error = asEmbedmillError(thrown, 'model_unavailable');
        const pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * (this.#failed.get(name)?.pauseMs ?? 500));
        this.#failed.set(name, { error, pauseMs, again: Date.now() + pauseMs });
        this.#parts.log.error({ model: name, code: error.code }, error.message);
      });
    }
  }

  async #load(name: string): Promise<void> {
    const { consumer, spool, store, metrics, log } = this.#parts;
    const { modelsFolder, modelCacheFolder, hubUrl, batchArea, batchDeadlineMs } = this.#config;
    const resolved = await resolveModel(name, {
      modelsDir: modelsFolder,
      cacheDir: modelCacheFolder,
      hubUrl,
    });
    const model = await ServedModel.load(resolved, {
      layout: defaultLayout(this.#config.cpus ?? availableCpus()),
      batchDeadlineMs,
      area: batchArea,
      onBatch: ({ lane, items, tokens, paddedTokens }) => {
        metrics.batchItems.observe(items, { lane });
        metrics.batchTokens.observe(tokens, { lane });
        metrics.tokens.add(tokens, { model: name, lane });
        metrics.paddingTokens.add(paddedTokens - tokens, { model: name, lane });
      },
      onEngineEvent: (event) => this.#note(name, event),
    });
    this.#served.set(name, model);
    this.#failed.delete(name);
    consumer.serve(name, {
      shard: (shard, attempt) => settleShard(shard, attempt, { spool, store, metrics, model }),
      query: (query) => model.answer(query),
    });
    log.info({ model: name, revision: model.revision }, 'serving');
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

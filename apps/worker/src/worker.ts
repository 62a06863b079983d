import { GuardedFetch } from '@embedmill/fetching';
import type { Log } from '@embedmill/logs';
import { createMetrics, serveHealth } from '@embedmill/metrics';
import { ModelConsumer } from '@embedmill/queue';
import { S3Objects, Spool } from '@embedmill/sources';
import { startTracing } from '@embedmill/tracing';
import { openStore } from '@embedmill/vector-store';
import type { WorkerConfig } from './config.ts';
import { ModelSet } from './model-set.ts';
import { Watchdog } from './watchdog.ts';

export interface RunningWorker {
  /** The address of /metrics, /startupz, /healthz and /readyz. */
  url: string;
  /** Resolves when the worker has work but makes no progress; it should then be restarted. */
  stuck: Promise<void>;
  /** Finishes the shards in progress, or returns them to the queue after the drain time, so that others claim them immediately. */
  close(): Promise<void>;
}

/** The longest interval between checks of the watchdog. */
const LONGEST_LOOK_MS = 5000;

/** How long it may take to return unfinished shards after a drain, and then to close the engines. */
const GIVING_BACK_MS = 3000;

/** False after this many milliseconds. */
const after = (ms: number): Promise<false> =>
  new Promise((resolve) => setTimeout(resolve, ms, false as const).unref());

/** A running worker. Errors: `queue_unavailable`, `queue_may_evict`, `store_unavailable`, `spool_unavailable`. */
export async function startWorker(config: WorkerConfig, log: Log): Promise<RunningWorker> {
  const metrics = createMetrics('worker');
  const tracing = await startTracing({ url: config.otlpUrl, service: 'embedmill-worker' });
  const spool = await Spool.open(config.spool, new S3Objects(config.s3), config.diskReserve);
  const store = await openStore({
    ...config,
    socket: config.storeSocket,
    observer: {
      onCall: ({ operation, outcome, seconds }) =>
        metrics.storeSeconds.observe(seconds, { operation, outcome }),
      onThrottled: () => metrics.storeThrottled.add(1),
    },
  });
  const consumer = await ModelConsumer.open({
    ...config.queue,
    traced: tracing.isOn,
    models: config.models,
    shardConcurrency: config.shards,
    queryConcurrency: 32,
    lockMs: config.lockMs,
    onError: (error) => log.warn({ err: error }, 'lost the connection to the queue'),
    hooks: {
      onTaken: (lane, seconds) => metrics.queueWaitSeconds.observe(seconds, { lane }),
      onStalled: () => metrics.shardStalls.add(1),
    },
  });
  const fetching = new GuardedFetch({ allow: config.fetchAllow });
  const pictures = { fetch: fetching.bytes.bind(fetching), spool };
  const lookMs = Math.min(LONGEST_LOOK_MS, config.watchdogMs / 20);
  const watchdog = new Watchdog({ limitMs: config.watchdogMs, lookMs, now: () => performance.now() });
  const models = new ModelSet(config, { consumer, spool, store, metrics, log, pictures, tracing, watchdog });
  models.start();
  await consumer.announce(() => models.describe());
  const { promise: stuck, resolve: giveUp } = Promise.withResolvers<void>();
  const look = async (): Promise<void> => {
    if (models.isLoading) watchdog.progressed();
    // An unavailable queue is not this worker's fault.
    const waiting = await consumer.waiting().catch(() => undefined);
    if (waiting === undefined) watchdog.progressed();
    else if (watchdog.look(waiting) === 'stuck') giveUp();
  };
  const timer = setInterval(() => void look(), lookMs);
  let hasStarted = false;
  const health = await serveHealth({
    host: config.host,
    port: config.port,
    metrics,
    started: {
      async models() {
        if (!hasStarted) models.assertLoaded();
        hasStarted = true;
      },
    },
    live: { progress: async () => watchdog.assertMoving() },
    ready: {
      queue: () => consumer.ping(),
      store: () => store.ping(),
      models: async () => models.assertLoaded(),
    },
  });
  return {
    url: health.url,
    stuck,
    async close() {
      clearInterval(timer);
      models.stop();
      const drained = Promise.all([consumer.close(), models.drained()]).then(() => true);
      if (!(await Promise.race([drained, after(config.drainMs)]))) {
        consumer.giveBack();
        await Promise.race([drained, after(GIVING_BACK_MS)]);
      }
      // Nobody waits for a batch that is still running.
      await Promise.race([models.close(), after(GIVING_BACK_MS)]);
      await fetching.close();
      await health.close();
      await store.close();
      await tracing.close();
    },
  };
}

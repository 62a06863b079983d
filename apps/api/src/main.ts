import { dirname } from 'node:path';
import { asEmbedmillError, DiskSpace, type JobId } from '@embedmill/jobs';
import { GuardedFetch } from '@embedmill/fetching';
import { createLog, withoutSecrets } from '@embedmill/logs';
import { createMetrics, isLoopback } from '@embedmill/metrics';
import { listModels } from '@embedmill/models';
import {
  connectQueue,
  consumeWebhooks,
  WebhookQueue,
  type Queue,
  type WebhookMessage,
} from '@embedmill/queue';
import { S3Objects, Spool } from '@embedmill/sources';
import { startTracing } from '@embedmill/tracing';
import { openStore } from '@embedmill/vector-store';
import { Allowances } from './access/allowances.ts';
import { readConfig, type ApiConfig } from './config.ts';
import { startDispatcher } from './dispatch/dispatcher.ts';
import { keptModels } from './models/model-list.ts';
import { recoverJobs } from './dispatch/recovery.ts';
import { startSweeping } from './dispatch/retention.ts';
import { buildServer } from './server.ts';
import { SettledCounts } from './dispatch/settled-counts.ts';
import { SourceThreads, USUAL_THREADS } from './sources/source-threads.ts';
import { deliverWebhook } from './dispatch/webhooks.ts';

/**
 * The API process: the HTTP server and the dispatcher. It runs until SIGTERM, Ctrl-C in its own terminal, or the end of
 * the process that forked it. Then it accepts no more requests, finishes those in flight within the configured time and
 * aborts the rest, releases its jobs (another dispatcher, or this one after a restart, continues them), and exits with
 * 0.
 */

/** An upload that was interrupted this long ago is not being sent any more. */
const ABANDONED_MS = 24 * 3600 * 1000;
/** How often the dispatcher checks for settled shards. */
const POLL_MS = 100;
/** The pause before a failed recovery of lost jobs is retried. */
const RECOVER_AGAIN_MS = 10_000;
/** How long releasing jobs, queue and store may take. */
const CLOSING_MS = 5000;
/** A slower server would occupy one of the few places for concurrent fetches. */
const SOURCE_PACE = { idleSeconds: 60, minBytesPerSecond: 1024 };

interface RunningApi {
  url: string;
  stop(): Promise<void>;
}

async function startApi(config: ApiConfig): Promise<RunningApi> {
  const log = createLog({ app: 'api', level: config.logLevel });
  const { keysFile, oidc } = config.access;
  if (keysFile === undefined && oidc === undefined && !isLoopback(config.host))
    log.warn(
      { host: config.host },
      'EMBEDMILL_API_INSECURE: anybody who reaches this address may do anything',
    );
  const tracing = await startTracing({ url: config.otlpUrl, service: 'embedmill-api' });
  const traced = tracing.isOn;
  const spool = await Spool.open(config.spool, new S3Objects(config.s3), config.diskReserve);
  await spool.removeAbandoned(ABANDONED_MS);
  // One thread for each possible concurrent scan, large and small, and one for requests.
  const threads = new SourceThreads(spool, { ...USUAL_THREADS, threads: 2 * config.dispatcher.scans + 1 });
  const models = keptModels(() =>
    listModels({ modelsDir: config.modelsFolder, cacheDir: config.modelCacheFolder }),
  );
  await models();
  const allowances = new Allowances(config.allowancesFile, log);
  const queue = await connectQueue({ ...config.queue, traced }, config.usageDays);
  const metrics = createMetrics('api');
  const store = await openStore({
    ...config,
    socket: config.storeSocket,
    observer: {
      onCall: ({ operation, outcome, seconds }) =>
        metrics.storeSeconds.observe(seconds, { operation, outcome }),
      onThrottled: () => metrics.storeThrottled.add(1),
    },
  });
  await store.ping();
  const recover = async (): Promise<void> => {
    try {
      await recoverJobs({ queue, spool, store, log });
    } catch (error) {
      log.warn({ err: error }, 'cannot restore what the queue lost; retrying');
      setTimeout(() => void recover(), RECOVER_AGAIN_MS).unref();
    }
  };
  await recover();
  queue.onReturn(() => void recover());
  const webhooks = await WebhookQueue.open(config.queue);
  const fetching = new GuardedFetch({ allow: config.fetchAllow, ...SOURCE_PACE });
  const openUrl = fetching.open.bind(fetching);
  const server = await buildServer({
    openUrl,
    queue,
    allowances,
    webhooks,
    spool,
    threads,
    store,
    models,
    metrics,
    config,
    log,
    tracing,
    disk: diskOf(config),
  });
  const delivering = await consumeWebhooks(
    config.queue,
    async (message, signal) => {
      try {
        await deliverWebhook(message, fetching, signal);
        metrics.webhookDeliveries.add(1, { outcome: 'delivered' });
        noteDelivery(queue, message, 'info', 'delivered');
      } catch (thrown) {
        const { code, message: reason, retryable } = asEmbedmillError(thrown);
        log.warn({ webhook: message.id, code, reason }, 'a webhook was not delivered');
        metrics.webhookDeliveries.add(1, { outcome: retryable ? 'unavailable' : 'refused' });
        noteDelivery(queue, message, 'warn', `${reason}${retryable ? '; it will be retried' : ''}`);
        throw thrown;
      }
    },
    { onError: (error) => log.warn({ err: error }, 'webhooks lost their connection to the queue') },
  );
  const settled = new SettledCounts(queue, log);
  const dispatcher = await startDispatcher({
    ...config.dispatcher,
    ...config.queue,
    traced,
    pollMs: POLL_MS,
    weightOf: allowances.weightOf.bind(allowances),
    maxSourceBytes: config.maxUploadBytes,
    openUrl,
    spool,
    threads,
    store,
    models,
    log,
    webhooks: { send: webhooks.send.bind(webhooks), operator: config.webhook },
    hooks: {
      onFinished: (state) => metrics.finishedJobs.add(1, { state }),
      onSettled: settled.add.bind(settled),
      onTurn: (seconds) => metrics.dispatcherTurnSeconds.observe(seconds),
      onGone: (documents, model) => metrics.documents.add(documents, { model, outcome: 'gone' }),
      onLost: (documents) => metrics.failures.add(documents, { stage: 'settle', reason: 'worker_lost' }),
    },
  });
  const sweeping = startSweeping({ queue, spool, store, policy: config.retention, log });
  threads.warmUp();
  const url = await server.listen({ host: config.host, port: config.port });
  log.info({ url, store: store.description }, 'the API is ready');
  return {
    url,
    async stop() {
      log.info('the API is stopping');
      const cut = setTimeout(() => server.server.closeAllConnections(), config.shutdownMs);
      await server.close();
      clearTimeout(cut);
      await sweeping.close();
      await dispatcher.close();
      await settled.close();
      await threads.close();
      await delivering.close();
      await webhooks.close();
      await fetching.close();
      allowances.close();
      await queue.close();
      await store.close();
      await tracing.close();
      log.info('the API has stopped');
    },
  };
}

/**
 * Records in a job's log the outcome of notifying its submitter; notifications of the operator are not part of the job.
 */
function noteDelivery(
  queue: Pick<Queue, 'noteJob'>,
  { id, type, job }: WebhookMessage,
  level: 'info' | 'warn',
  what: string,
): void {
  if (id.endsWith('-operator')) return;
  const event = level === 'info' ? 'webhook_delivered' : 'webhook_failed';
  queue.noteJob(job.id as JobId, { level, event, text: `webhook ${type}: ${what}` });
}

/** The disk of the spool, or of the data folder if the spool is in a bucket. */
function diskOf({ spool, storeSocket, diskReserve }: ApiConfig): DiskSpace {
  return new DiskSpace(spool.startsWith('s3://') ? dirname(storeSocket) : spool, diskReserve);
}

/**
 * Stops exactly once, whatever requests it and however often, even during startup: a container's first process ignores
 * signals without a handler. If stopping hangs, it is abandoned after `deadlineMs`.
 */
function stopWhenAsked(running: () => RunningApi | undefined, deadlineMs: number): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(
      () => fail(new Error(`the API did not stop within ${deadlineMs / 1000} s`)),
      deadlineMs,
    ).unref();
    Promise.resolve(running()?.stop()).then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', stop);
  process.on('disconnect', stop);
  // A child of `embedmill up` is stopped by its parent, in order.
  process.on('SIGINT', () => {
    if (!process.connected) stop();
  });
}

function fail(thrown: unknown): never {
  process.stderr.write(`embedmill api: ${withoutSecrets(asEmbedmillError(thrown).message)}\n`);
  process.exit(1);
}

try {
  const config = readConfig(process.env);
  let running: RunningApi | undefined = undefined;
  stopWhenAsked(() => running, config.shutdownMs + CLOSING_MS);
  const api = await startApi(config);
  running = api;
  process.send?.({ kind: 'ready', url: api.url });
} catch (error) {
  fail(error);
}

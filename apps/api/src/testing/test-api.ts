import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RouteOptions } from 'fastify';
import { GuardedFetch } from '@embedmill/fetching';
import type { Query } from '@embedmill/jobs';
import { createLog } from '@embedmill/logs';
import { createMetrics } from '@embedmill/metrics';
import { connectQueue, ModelConsumer, WebhookQueue, type Queue } from '@embedmill/queue';
import { startTestRedis } from '@embedmill/redis-server';
import { Spool } from '@embedmill/sources';
import { openZvecStore, type VectorStore } from '@embedmill/vector-store';
import type { Allowances } from '../access/allowances.ts';
import { startDispatcher } from '../dispatch/dispatcher.ts';
import { fakeAnswer, MODELS } from './fake-worker.ts';
import type { ApiParts, ServerParts } from '../parts.ts';
import { SourceThreads } from '../sources/source-threads.ts';
import { buildServer } from '../server.ts';

/** The API on its own port, with a real Redis, a real spool and a real embedded store. */
export interface TestApi {
  url: string;
  parts: ApiParts & Pick<ServerParts, 'openUrl'> & { queue: Queue; spool: Spool };
  /** The API's log lines. */
  logged: string[];
  redisUrl: string;
  spoolFolder: string;
  call(path: string, init?: RequestInit): Promise<Response>;
  /** Sends JSON; returns the status and JSON. */
  json(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: never; headers: Headers }>;
  submit(collection: string, ndjson: string, headers?: Record<string, string>): Promise<Response>;
  /**
   * Starts a worker that answers queries with `fakeAnswer`, but fails shards, so do not combine it with one that stores
   * them.
   */
  answerQueries(seen?: Query[]): Promise<void>;
  /** Starts a worker that takes any model and answers nothing. */
  ignoreQueries(): Promise<void>;
  /** Starts a dispatcher, which is stopped with the rest, if not before. */
  dispatch(options?: { maxReports?: number }): Promise<{ close(): Promise<void> }>;
  /** Closed with the rest, in reverse order. */
  onClose(close: () => Promise<unknown>): void;
  close(): Promise<void>;
}

interface TestApiOptions {
  allowances?: Allowances;
  config?: Partial<ApiParts['config']>;
  heartbeatMs?: number;
  /** Replaces the embedded one; its creator closes it. */
  store?: VectorStore;
  onRoute?: (route: RouteOptions) => void;
  consoleFolder?: string;
  overviewMs?: number;
}

export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  try {
    return await start(options, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: TestApiOptions,
  closers: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<TestApi> {
  const redis = await startTestRedis();
  closers.push(() => redis.stop());
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-api-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const spoolFolder = join(folder, 'spool');
  const store = options.store ?? (await openZvecStore(join(folder, 'vectors')));
  if (options.store === undefined) closers.push(() => store.close());
  const queue = await connectQueue({ redisUrl: redis.url });
  closers.push(() => queue.close());
  const webhooks = await WebhookQueue.open({ redisUrl: redis.url });
  closers.push(() => webhooks.close());
  const logged: string[] = [];
  const spool = await Spool.open(spoolFolder);
  const threads = new SourceThreads(spool);
  closers.push(() => threads.close());
  const fetching = new GuardedFetch({ allow: ['127.0.0.1'] });
  closers.push(() => fetching.close());
  const openUrl = fetching.open.bind(fetching);
  const parts: TestApi['parts'] = {
    openUrl,
    webhooks,
    queue,
    store,
    models: async () => MODELS,
    metrics: createMetrics('api'),
    spool,
    threads,
    ...(options.allowances && { allowances: options.allowances }),
    config: {
      sourceFolder: undefined,
      s3Sources: [],
      s3Targets: [],
      maxUploadBytes: 1e9,
      queryTimeoutMs: 10_000,
      ...options.config,
      // Tests share the event loop with the API, and delay it.
      limits: { maxRequests: 64, maxUploads: 16, maxStreams: 256, maxDelayMs: 0, ...options.config?.limits },
    },
    log: createLog({ app: 'api', level: 'debug', destination: { write: (line) => void logged.push(line) } }),
  };
  const { heartbeatMs = 15_000, onRoute, consoleFolder, overviewMs } = options;
  const server = await buildServer(parts, {
    heartbeatMs,
    ...(onRoute && { onRoute }),
    ...(consoleFolder && { consoleFolder }),
    ...(overviewMs && { overviewMs }),
  });
  closers.push(() => server.close());
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const call = (path: string, init: RequestInit = {}) => fetch(new URL(path, url), init);
  return {
    url,
    parts,
    logged,
    redisUrl: redis.url,
    spoolFolder,
    call,
    close,
    async json(method, path, body, headers = {}) {
      const sent =
        body === undefined
          ? { headers }
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } };
      const response = await call(path, { method, ...sent });
      const text = await response.text();
      const parsed = (text === '' ? undefined : JSON.parse(text)) as never;
      return { status: response.status, body: parsed, headers: response.headers };
    },
    submit: (collection, body, headers = {}) =>
      call(`/api/v1/collections/${collection}/jobs`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-ndjson', ...headers },
      }),
    async answerQueries(seen) {
      const shared = { redisUrl: redis.url, shardConcurrency: 1, queryConcurrency: 4, lockMs: 5000 };
      const consumer = await ModelConsumer.open({ ...shared, onError: () => {} });
      closers.push(() => consumer.close());
      for (const model of MODELS) {
        const shard = () => Promise.reject(new Error('no shards here'));
        const query = async (asked: Query) => {
          seen?.push(asked);
          return fakeAnswer(asked, model);
        };
        consumer.serve(model.name, { query, shard });
      }
    },
    async ignoreQueries() {
      const shared = { redisUrl: redis.url, shardConcurrency: 1, queryConcurrency: 1, lockMs: 5000 };
      const consumer = await ModelConsumer.open({ ...shared, onError: () => {} });
      closers.push(() => consumer.close());
    },
    async dispatch({ maxReports = 10_000 } = {}) {
      const running = await startDispatcher({
        redisUrl: redis.url,
        jobs: 100,
        scans: 4,
        mostShards: 100,
        maxReports,
        pollMs: 20,
        lockMs: 2000,
        weightOf: () => 1,
        maxSourceBytes: 1e9,
        openUrl,
        spool: parts.spool,
        threads,
        log: { info: () => {}, warn: () => {} },
        store,
        models: parts.models,
        webhooks: { send: webhooks.send.bind(webhooks), operator: undefined },
      });
      let ended: Promise<void> | undefined;
      const once = { close: () => (ended ??= running.close()) };
      closers.push(() => once.close());
      return once;
    },
    onClose: (one) => void closers.push(one),
  };
}

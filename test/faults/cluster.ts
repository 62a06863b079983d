import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import type { Job } from '@embedmill/jobs';
import { testRedisProgram } from '@embedmill/redis-server';
import { childrenOf } from '../embedmill.ts';

/**
 * All of embedmill as separate processes that nobody restarts: each can be killed, stopped and started alone. They
 * share a data folder, which is removed with the cluster, and end with the test's process, whatever happens to it.
 */
export interface ClusterOptions {
  apis?: number;
  workers?: number;
  /** A Qdrant to use instead of the embedded store. */
  qdrantUrl?: string | undefined;
  /** Additional variables for all parts, or for parts whose name begins with the key: `{ api: {...} }`. */
  env?: Record<string, string>;
  envOf?: Record<string, Record<string, string>>;
  /** A command that runs a part's command line, such as `ip netns exec x`. */
  within?: Record<string, string[]>;
  /** A TCP address of the Redis, besides its socket. */
  redisAddress?: { host: string; port: number };
  /** How parts with this name reach the Redis, if not through the socket. */
  redisUrlOf?: Record<string, string>;
}

export type PartKind = 'redis' | 'store' | 'api' | 'worker';

interface Part {
  readonly name: string;
  readonly kind: PartKind;
  child: ChildProcess | undefined;
  url: string | undefined;
}

const entry = (path: string) => fileURLToPath(new URL(`../../apps/${path}`, import.meta.url));
const ENTRIES = {
  store: entry('cli/src/store.ts'),
  api: entry('api/src/main.ts'),
  worker: entry('worker/src/main.ts'),
};
/** Short, so that others take over within seconds from a part that seems dead. */
export const LOCK_SECONDS = 3;
const READY_MS = 90_000;

export class Cluster {
  readonly data: string;
  readonly #options: ClusterOptions;
  readonly #parts: Part[] = [];

  private constructor(data: string, options: ClusterOptions) {
    this.data = data;
    this.#options = options;
    const add = (kind: PartKind, count: number) => {
      for (let n = 1; n <= count; n += 1) {
        const name = count === 1 ? kind : `${kind}-${n}`;
        this.#parts.push({ name, kind, child: undefined, url: undefined });
      }
    };
    add('redis', 1);
    if (options.qdrantUrl === undefined) add('store', 1);
    add('api', options.apis ?? 1);
    add('worker', options.workers ?? 1);
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const data = await mkdtemp(join(tmpdir(), 'em-fault-'));
    const cluster = new Cluster(data, options);
    try {
      await mkdir(join(data, 'logs'));
      await mkdir(join(data, 'redis'));
      await cluster.startAll();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get redisSocket(): string {
    return join(this.data, 'redis', 'r.sock');
  }

  /** The names of the parts, in the order in which they start. */
  get names(): string[] {
    return this.#parts.map(({ name }) => name);
  }

  pid(name: string): number {
    const pid = this.#part(name).child?.pid;
    if (pid === undefined) throw new Error(`${name} is not running`);
    return pid;
  }

  isRunning(name: string): boolean {
    return this.#part(name).child !== undefined;
  }

  url(name: string): string {
    return this.#part(name).url ?? '';
  }

  /** The engines of a worker. */
  engines(worker: string): Promise<number[]> {
    return childrenOf(this.pid(worker));
  }

  signal(name: string, signal: NodeJS.Signals): void {
    process.kill(this.pid(name), signal);
  }

  /** Ends a part and returns its exit code or signal. */
  async end(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | NodeJS.Signals | null> {
    const { child } = this.#part(name);
    if (child === undefined) return null;
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    child.kill(signal);
    const [code, by] = await exited;
    return code ?? by;
  }

  /** Resolves with the exit code when the part has ended by itself. */
  async ended(name: string): Promise<number | null> {
    const { child } = this.#part(name);
    if (child === undefined) return null;
    return ((await once(child, 'exit')) as [number | null])[0];
  }

  async startAll(): Promise<void> {
    await this.start('redis');
    await Promise.all(this.names.filter((name) => name.startsWith('store')).map((name) => this.start(name)));
    await Promise.all(this.names.filter((name) => name.startsWith('api')).map((name) => this.start(name)));
    await Promise.all(this.names.filter((name) => name.startsWith('worker')).map((name) => this.start(name)));
  }

  /** Starts a part that is not running; resolves when it is ready. */
  async start(name: string): Promise<void> {
    const part = this.#part(name);
    if (part.kind === 'redis') return this.#startRedis(part);
    const [command, ...before] = this.#options.within?.[name] ?? [];
    const args = ['--max-semi-space-size=16', ENTRIES[part.kind]];
    const child = this.#spawn(part, command ?? process.execPath, [
      ...(command === undefined ? args : [...before, process.execPath, ...args]),
    ]);
    const ready = new Promise<void>((resolve, reject) => {
      child.on('message', (message: { kind?: string; url?: string }) => {
        part.url = message.url ?? part.url;
        resolve();
      });
      child.once('exit', (code, signal) => reject(new Error(`${name} ended with ${code ?? signal}`)));
    });
    await within(ready, `${name} is ready`).catch(async (error: unknown) => {
      throw new Error(`${name} does not start:\n${await this.log(name)}`, { cause: error });
    });
  }

  /** The last lines of a part's log. */
  async log(name: string): Promise<string> {
    const text = await readFile(join(this.data, 'logs', `${name}.log`), 'utf8').catch(() => '');
    return text.split('\n').slice(-30).join('\n');
  }

  /** Waits for a condition. On timeout, fails with the condition's name and the parts' logs. */
  async until(what: string, met: () => Promise<boolean>, seconds = 60): Promise<void> {
    for (const deadline = Date.now() + seconds * 1000; !(await met()); await setTimeout(50)) {
      if (Date.now() < deadline) continue;
      const logs = await Promise.all(this.names.map(async (name) => `${name}:\n${await this.log(name)}`));
      throw new Error(`waited ${seconds} s in vain until: ${what}\n${logs.join('\n')}`);
    }
  }

  /** Calls the APIs one after another until one answers. */
  async call(path: string, init: RequestInit = {}): Promise<Response> {
    let failure: unknown = new Error('no API runs');
    for (const { url, child } of this.#parts.filter(({ kind }) => kind === 'api')) {
      if (child === undefined || url === undefined) continue;
      try {
        return await fetch(new URL(path, url), { signal: AbortSignal.timeout(8000), ...init });
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async json<T>(path: string, body?: unknown): Promise<T> {
    const response = await this.call(
      path,
      body === undefined
        ? {}
        : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } },
    );
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  submit(collection: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.call(`/api/v1/collections/${collection}/jobs`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/x-ndjson', ...headers },
    });
  }

  /** The job's current state; undefined if it cannot be read. */
  async job(id: string): Promise<Job | undefined> {
    return this.json<Job>(`/api/v1/jobs/${id}`).catch(() => undefined);
  }

  /** A connection to the Redis, for faults in it; the caller closes it. */
  redis(): Redis {
    return new Redis(this.redisSocket, { maxRetriesPerRequest: 1 });
  }

  /** Ends everything and removes the data folder. */
  async stop(): Promise<void> {
    for (const { name, child } of this.#parts.toReversed()) {
      if (child === undefined) continue;
      const engines = name.startsWith('worker') ? await this.engines(name) : [];
      // A stopped part does not react to SIGTERM, and nothing here needs to end in order.
      await this.end(name);
      for (const pid of engines) killIfAlive(pid);
    }
    await rm(this.data, { recursive: true, force: true });
  }

  async #startRedis(part: Part): Promise<void> {
    const program = await testRedisProgram();
    const { redisAddress: address } = this.#options;
    const settings: Record<string, string> = {
      ...(address === undefined ? { port: '0' } : { port: String(address.port), bind: address.host }),
      unixsocket: this.redisSocket,
      dir: join(this.data, 'redis'),
      save: '',
      appendonly: 'yes',
      appendfsync: 'always',
      'maxmemory-policy': 'noeviction',
      ...(address === undefined ? {} : { 'protected-mode': 'no' }),
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    await rm(this.redisSocket, { force: true });
    this.#spawn(part, program.path, args, program.environment);
    await this.until('Redis answers', async () => {
      const redis = new Redis(this.redisSocket, { lazyConnect: true, retryStrategy: () => null });
      redis.on('error', () => {});
      const answered = await redis.connect().then(
        () => redis.ping().then(Boolean, () => false),
        () => false,
      );
      redis.disconnect();
      return answered;
    });
  }

  #spawn(part: Part, command: string, args: string[], more: NodeJS.ProcessEnv = {}): ChildProcess {
    const { qdrantUrl, env, envOf = {}, redisUrlOf = {} } = this.#options;
    const log = openSync(join(this.data, 'logs', `${part.name}.log`), 'a');
    const ownEnv = Object.entries(envOf).find(([name]) => part.name.startsWith(name))?.[1] ?? {};
    const child = spawn(command, args, {
      env: {
        ...process.env,
        EMBEDMILL_SHARED: undefined,
        QDRANT_URL: undefined,
        REDIS_URL: redisUrlOf[part.name] ?? this.redisSocket,
        EMBEDMILL_DATA_DIR: this.data,
        EMBEDMILL_API_PORT: '0',
        EMBEDMILL_WORKER_PORT: '0',
        EMBEDMILL_API_LOCK_SECONDS: String(LOCK_SECONDS),
        EMBEDMILL_WORKER_LOCK_SECONDS: String(LOCK_SECONDS),
        EMBEDMILL_WORKER_CPUS: '1',
        ...(qdrantUrl === undefined ? {} : { QDRANT_URL: qdrantUrl }),
        ...env,
        ...ownEnv,
        ...more,
      },
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    part.child = child;
    child.on('error', () => {});
    child.once('exit', () => {
      if (part.child === child) part.child = undefined;
    });
    return child;
  }

  #part(name: string): Part {
    const part = this.#parts.find((one) => one.name === name);
    if (part === undefined) throw new Error(`there is no ${name}; there are ${this.names.join(', ')}`);
    return part;
  }
}

async function within(promise: Promise<void>, what: string): Promise<void> {
  const late = new AbortController();
  const timeout = setTimeout(READY_MS, undefined, { signal: late.signal }).then(
    () => {
      throw new Error(`waited ${READY_MS / 1000} s in vain until: ${what}`);
    },
    () => {},
  );
  await Promise.race([promise, timeout]).finally(() => late.abort());
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has already ended.
  }
}

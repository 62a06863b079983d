/**
 * All of embedmill on one machine: redis → store → api → worker, as `up` and `demo` run it.
 *
 * Owns the data folder from start to end, and keeps its `up.json` true across restarts. The worker drains before
 * the API, the store and Redis stop.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startApp } from './app-process.ts';
import type { Config } from './config.ts';
import {
  ensureDataFolder,
  leftoverProcesses,
  lockDataFolder,
  removeUpFile,
  socketPath,
  writeUpFile,
  type UpFile,
} from './data-folder.ts';
import { ENTRIES } from './entries.ts';
import { CommandError } from './exit.ts';
import { LogFile } from './log-file.ts';
import { freePort } from './port.ts';
import { findRedisProgram } from './redis-program.ts';
import { adoptRedis, checkRedis, startRedis, withoutPassword } from './redis.ts';
import { Supervisor, type Part, type PartName, type SupervisorEvent } from './supervisor.ts';

export interface StackOptions {
  config: Config;
  /** What the processes inherit. */
  environment: NodeJS.ProcessEnv;
  /** The folder of Debian's redis-server, where it has to be unpacked. */
  redisPackageFolder: string;
  /** Empties the data folder first. */
  fresh: boolean;
  tell: (event: StackEvent) => void;
}

export type StackEvent =
  | SupervisorEvent
  | { kind: 'note'; text: string }
  | { kind: 'line'; part: PartName; text: string; warning: boolean };

/** How long a part may take to be ready: the worker may have a model to load. */
const READY_MS = { store: 60_000, api: 60_000, worker: 180_000 } as const;

/** How long processes of an `up` that was killed are waited for. */
const LEFTOVER_MS = 45_000;

/** What a part gets on top of its own time to wind up, before it is killed. */
const GRACE_MARGIN_MS = 5000;

export class Stack {
  readonly #options: StackOptions;
  readonly #supervisor: Supervisor;
  readonly #release: () => void;
  readonly #logs: Map<PartName, LogFile>;
  readonly #startedAt = new Date().toISOString();
  readonly #redisUrl: string;
  #serving = false;
  #ended = false;
  #apiUrl: string | undefined;
  #workerUrl: string | undefined;

  private constructor(options: StackOptions, release: () => void, ports: { api: number; worker: number }) {
    this.#options = options;
    this.#release = release;
    const { config } = options;
    this.#redisUrl = config.redisUrl ?? socketPath(config.dataDir, 'redis', 'redis.sock');
    const names: PartName[] = ['store', 'api', 'worker'];
    this.#logs = new Map(names.map((name) => [name, new LogFile(logPath(config.dataDir, name))]));
    this.#supervisor = new Supervisor(this.#parts(ports), (event) => {
      options.tell(event);
      if (this.#serving && event.kind === 'ready') this.#writeUpFile();
    });
  }

  /**
   * Starts everything; resolves when it is ready. Rejects with a `CommandError` when something cannot be started,
   * and when `signal` aborts; nothing is left running then.
   */
  static async start(options: StackOptions, signal: AbortSignal): Promise<Stack> {
    const { config, tell, fresh } = options;
    ensureDataFolder(config.dataDir);
    const release = lockDataFolder(config.dataDir);
    let stack: Stack | undefined;
    try {
      await leftoversGone(config.dataDir, tell, signal);
      if (fresh) await emptyDataFolder(config.dataDir);
      const ports = {
        api: await freePort(config.apiHost, config.apiPort, '--port'),
        worker: await workerPort(config),
      };
      if (config.redisUrl !== undefined) {
        const { version } = await checkRedis(config.redisUrl);
        tell({ kind: 'note', text: `Redis ${version} at ${withoutPassword(config.redisUrl)} (REDIS_URL)` });
      }
      stack = new Stack(options, release, ports);
      await stack.#start(signal);
      return stack;
    } catch (error) {
      if (stack === undefined) release();
      else stack.#end();
      throw error;
    }
  }

  /** Where the API serves. */
  get url(): string {
    const url = this.#supervisor.running('api')?.url ?? this.#apiUrl;
    if (url === undefined) throw new CommandError('the API did not say where it serves');
    return url;
  }

  get metrics(): UpFile['metrics'] {
    return {
      api: `${this.url}/metrics`,
      worker: this.#workerUrl === undefined ? null : `${this.#workerUrl}/metrics`,
    };
  }

  /** Resolves, with why, when a process keeps failing. `stop` is then still to be called. */
  get gaveUp(): Promise<Error> {
    return this.#supervisor.gaveUp;
  }

  /** Drains and stops everything. */
  async stop(): Promise<void> {
    await this.#supervisor.stop();
    this.#end();
  }

  /** Ends everything now; also while `stop` is draining. */
  async kill(): Promise<void> {
    await this.#supervisor.kill();
    this.#end();
  }

  async #start(signal: AbortSignal): Promise<void> {
    const abort = (): void => void this.#supervisor.stop();
    signal.addEventListener('abort', abort);
    try {
      signal.throwIfAborted();
      await this.#supervisor.start();
      this.#serving = true;
      this.#writeUpFile();
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#serving = false;
    this.#closeLogs();
    removeUpFile(this.#options.config.dataDir);
    this.#release();
  }

  #closeLogs(): void {
    for (const log of this.#logs.values()) log.close();
    this.#logs.clear();
  }

  #writeUpFile(): void {
    const pidOf = (name: PartName): number | null => this.#supervisor.running(name)?.pid ?? null;
    writeUpFile(this.#options.config.dataDir, {
      url: this.url,
      metrics: this.metrics,
      processes: { api: pidOf('api'), worker: pidOf('worker'), store: pidOf('store'), redis: pidOf('redis') },
      redis: withoutPassword(this.#redisUrl),
      startedAt: this.#startedAt,
    });
  }

  /** Ports that were free to choose are kept across restarts. */
  #parts(ports: { api: number; worker: number }): Part[] {
    const { config, environment } = this.#options;
    const { dataDir } = config;
    const shared: NodeJS.ProcessEnv = {
      ...environment,
      REDIS_URL: this.#redisUrl,
      EMBEDMILL_DATA_DIR: dataDir,
      EMBEDMILL_STORE_SOCKET: config.storeSocket ?? socketPath(dataDir, 'store.sock'),
    };
    const app = (name: 'store' | 'api' | 'worker', graceMs: number, own: () => NodeJS.ProcessEnv): Part => ({
      name,
      graceMs: graceMs + GRACE_MARGIN_MS,
      start: async (signal) => {
        const log = this.#logs.get(name);
        if (log === undefined) throw new CommandError(`the ${name} was stopped while it started`);
        const running = await startApp(
          {
            ...{ name, log, entry: ENTRIES[name], readyMs: READY_MS[name] },
            environment: { ...shared, ...own() },
            onLine: (line) => this.#options.tell({ kind: 'line', part: name, ...line }),
          },
          signal,
        );
        if (name === 'api') this.#apiUrl = running.url;
        if (name === 'worker') this.#workerUrl = running.url;
        return running;
      },
    });
    const api = app('api', secondsOf(environment, 'EMBEDMILL_API_SHUTDOWN_SECONDS', 10), () => ({
      EMBEDMILL_API_HOST: config.apiHost,
      EMBEDMILL_API_PORT: portOf(this.#apiUrl) ?? String(ports.api),
      EMBEDMILL_API_SOURCE_DIR: config.sourceDir ?? '',
    }));
    const worker = app('worker', secondsOf(environment, 'EMBEDMILL_WORKER_DRAIN_SECONDS', 30), () => ({
      EMBEDMILL_WORKER_PORT: portOf(this.#workerUrl) ?? String(ports.worker),
    }));
    const redis = config.redisUrl === undefined ? [this.#redis()] : [];
    const store = config.qdrantUrl === undefined ? [app('store', 5000, () => ({}))] : [];
    return [...redis, ...store, api, worker];
  }

  #redis(): Part {
    const { config, redisPackageFolder, tell } = this.#options;
    const note = (text: string): void => tell({ kind: 'note', text });
    return {
      name: 'redis',
      graceMs: 30_000,
      start: async (signal) => {
        const adopted = await adoptRedis(this.#redisUrl);
        if (adopted !== undefined) {
          note(`took over the Redis that an earlier run left behind (process ${adopted.pid})`);
          return adopted;
        }
        const program = await findRedisProgram(redisPackageFolder, note, signal);
        const logPathOfRedis = logPath(config.dataDir, 'redis');
        const where = {
          folder: join(config.dataDir, 'redis'),
          socket: this.#redisUrl,
          logPath: logPathOfRedis,
        };
        return startRedis(program, where, signal);
      },
    };
  }
}

/** An `up` that was killed takes its children with it, but they finish what they have in hand first. */
async function leftoversGone(
  dataDir: string,
  tell: StackOptions['tell'],
  signal: AbortSignal,
): Promise<void> {
  for (let waitedMs = 0; waitedMs < LEFTOVER_MS; waitedMs += 100) {
    const left = leftoverProcesses(dataDir);
    if (left.length === 0) return;
    if (waitedMs === 0)
      tell({ kind: 'note', text: `waiting for processes of an earlier run: ${left.join(', ')}` });
    await sleep(100, undefined, { signal });
  }
}

/** Leaves nothing in the folder but its lock, and no Redis of an earlier run on it. */
async function emptyDataFolder(dataDir: string): Promise<void> {
  await (await adoptRedis(socketPath(dataDir, 'redis', 'redis.sock')))?.stop(5000);
  for (const name of readdirSync(dataDir)) {
    if (name !== 'up.lock') rmSync(join(dataDir, name), { recursive: true, force: true });
  }
}

/** The usual port when it is free, else any: nothing but the metrics is served there, and `up` says where. */
async function workerPort({ workerPort: asked }: Config): Promise<number> {
  if (asked !== undefined) return freePort('127.0.0.1', asked, 'EMBEDMILL_WORKER_PORT');
  return freePort('127.0.0.1', 7071, '').catch(() => 0);
}

function logPath(dataDir: string, name: PartName): string {
  return join(dataDir, 'logs', `${name}.log`);
}

function portOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).port;
}

/** A time to wind up that an app has a setting for, in milliseconds. */
function secondsOf(environment: NodeJS.ProcessEnv, name: string, usual: number): number {
  const set = Number(environment[name] ?? '');
  return (Number.isFinite(set) && set > 0 ? set : usual) * 1000;
}

/** The processes of the embedded mode, and how each is started. */
import { join } from 'node:path';
import { startApp } from './app-process.ts';
import type { Config } from '../config.ts';
import { socketPath } from './data-folder.ts';
import { ENTRIES } from '../entries.ts';
import { LogFile } from './log-file.ts';
import { modelFolders } from '../models-folder.ts';
import { childEnvironment, DiskSpace } from '@embedmill/jobs';
import { findRedisProgram } from '@embedmill/redis-server';
import { adoptRedis, startRedis } from './redis.ts';
import type { Part, PartName, RunningPart, SupervisorEvent } from './supervisor.ts';

export type StackEvent =
  | SupervisorEvent
  | { kind: 'note'; text: string }
  | { kind: 'line'; part: PartName; text: string; warning: boolean };

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

/** How long a part may take to be ready: the worker may have a model to load. */
const READY_MS = { store: 60_000, api: 60_000, worker: 180_000 } as const;

/** Of the reserve: below this, what is done anyway has used it up. */
const FULL_SHARE = 0.5;

/** Whom commands ask, and as whom. */
const OF_THE_COMMAND_LINE = ['EMBEDMILL_URL', 'EMBEDMILL_KEY', 'EMBEDMILL_WEBHOOK_SECRET'];

/** What a part gets on top of its own time to wind up, before it is killed. */
const GRACE_MARGIN_MS = 5000;

/** Where the queue is: QUEUE_URL, REDIS_URL, or the socket of our own Redis. */
export function queueUrlOf({ queue, dataDir }: Pick<Config, 'queue' | 'dataDir'>): string {
  if (queue === undefined) return ownRedisSocket(dataDir);
  return 'postgresUrl' in queue ? queue.postgresUrl : queue.redisUrl;
}

/** Where our own Redis listens. */
export function ownRedisSocket(dataDir: string): string {
  return socketPath(dataDir, 'redis', 'redis.sock');
}

/** redis → store → api → worker, without those that are elsewhere. The ports are 0 where any will do. */
export function stackParts(options: StackOptions, ports: { api: number; worker: number }): Part[] {
  const { config } = options;
  const parts: Part[] = [];
  if (config.queue === undefined) parts.push(redisPart(options));
  if (config.qdrantUrl === undefined && config.milvus === undefined) {
    parts.push(appPart('store', options, { graceMs: 5000, settings: () => ({}) }));
  }
  parts.push(apiPart(options, ports.api), workerPart(options, ports.worker));
  return parts;
}

/** One API. The port is 0 where any will do. */
export function apiPart(options: StackOptions, port: number): Part {
  const { config, environment } = options;
  return appPart('api', options, {
    graceMs: secondsOf(environment, 'EMBEDMILL_API_SHUTDOWN_SECONDS', 10),
    settings: (previous) => ({
      EMBEDMILL_API_HOST: config.apiHost,
      EMBEDMILL_API_PORT: portOf(previous) ?? String(port),
      EMBEDMILL_API_SOURCE_DIR: config.sourceDir ?? '',
    }),
  });
}

/** One worker. The port is 0 where any will do. */
export function workerPart(options: StackOptions, port: number): Part {
  return appPart('worker', options, {
    graceMs: secondsOf(options.environment, 'EMBEDMILL_WORKER_DRAIN_SECONDS', 30),
    settings: (previous) => ({ EMBEDMILL_WORKER_PORT: portOf(previous) ?? String(port) }),
  });
}

interface AppPartOptions {
  graceMs: number;
  /** Variables of its own. `previous` is where it served before it was started again: it keeps its port. */
  settings: (previous: string | undefined) => NodeJS.ProcessEnv;
}

function appPart(
  name: 'store' | 'api' | 'worker',
  { config, environment, tell }: StackOptions,
  { graceMs, settings }: AppPartOptions,
): Part {
  let previous: string | undefined;
  return {
    name,
    graceMs: graceMs + GRACE_MARGIN_MS,
    hindrance: hindranceOf(config),
    async start(signal): Promise<RunningPart> {
      const log = new LogFile(logPath(config.dataDir, name));
      const running = await startApp(
        {
          name,
          log,
          entry: ENTRIES[name],
          readyMs: READY_MS[name],
          environment: environmentOf(name, environment, {
            ...(config.queue === undefined ? { REDIS_URL: ownRedisSocket(config.dataDir) } : {}),
            EMBEDMILL_DATA_DIR: config.dataDir,
            EMBEDMILL_MODELS_DIR: modelFolders({ config, environment }).modelsDir,
            EMBEDMILL_STORE_SOCKET: config.storeSocket ?? socketPath(config.dataDir, 'store.sock'),
            ...settings(previous),
          }),
          onLine: (line) => tell({ kind: 'line', part: name, ...line }),
        },
        signal,
      );
      previous = running.url;
      return running;
    },
  };
}

/** The store gets no key of anything; the others what is theirs, and not what this command line is called with. */
function environmentOf(
  name: 'store' | 'api' | 'worker',
  given: NodeJS.ProcessEnv,
  own: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  if (name === 'store') {
    const { EMBEDMILL_LOG_LEVEL, EMBEDMILL_DISK_RESERVE_BYTES } = given;
    return childEnvironment(given, {
      EMBEDMILL_LOG_LEVEL,
      EMBEDMILL_DISK_RESERVE_BYTES,
      EMBEDMILL_DATA_DIR: own['EMBEDMILL_DATA_DIR'],
      EMBEDMILL_STORE_SOCKET: own['EMBEDMILL_STORE_SOCKET'],
    });
  }
  const foreign = name === 'api' ? 'EMBEDMILL_WORKER_' : 'EMBEDMILL_API_';
  const kept = Object.entries(given).filter(
    ([variable]) => !variable.startsWith(foreign) && !OF_THE_COMMAND_LINE.includes(variable),
  );
  return { ...Object.fromEntries(kept), ...own };
}

function redisPart({ config, redisPackageFolder, tell }: StackOptions): Part {
  const note = (text: string): void => tell({ kind: 'note', text });
  const socket = ownRedisSocket(config.dataDir);
  return {
    name: 'redis',
    graceMs: 30_000,
    hindrance: hindranceOf(config),
    async start(signal): Promise<RunningPart> {
      const adopted = await adoptRedis(socket);
      if (adopted !== undefined) {
        note(`took over the Redis that an earlier run left running (process ${adopted.pid})`);
        return adopted;
      }
      const program = await findRedisProgram(redisPackageFolder, note, signal);
      const folder = join(config.dataDir, 'redis');
      return startRedis(program, { folder, socket, logPath: logPath(config.dataDir, 'redis') }, signal);
    },
  };
}

/** A process that ends because the disk is full does so again and again, until somebody makes room. */
function hindranceOf({ dataDir }: Config): () => Promise<string | undefined> {
  const disk = new DiskSpace(dataDir);
  return () => disk.lack(0, FULL_SHARE).catch(() => undefined);
}

function logPath(dataDir: string, name: PartName): string {
  return join(dataDir, 'logs', `${name}.log`);
}

function portOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).port;
}

/** A time to wind up that an app has a setting for, in milliseconds. */
function secondsOf(environment: NodeJS.ProcessEnv, name: string, usual: number): number {
  const set = Number(environment[name] || usual);
  return (Number.isFinite(set) && set >= 0 ? set : usual) * 1000;
}

/**
 * All of embedmill on one machine: redis → store → api → worker, as `up` and `demo` run it.
 *
 * Owns the data folder from start to end, and keeps its `up.json` true across restarts. The worker drains before
 * the API, the store and Redis stop.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { buildConsole } from '../console-build.ts';
import {
  ensureDataFolder,
  leftoverProcesses,
  lockDataFolder,
  removeUpFile,
  writeUpFile,
  type UpFile,
} from './data-folder.ts';
import { CommandError } from '../exit.ts';
import { keepFilesPrivate, makePrivate } from './private-files.ts';
import { freePort } from './port.ts';
import { describeQueue } from '@embedmill/queue';
import { adoptRedis, withoutPassword } from './redis.ts';
import { ownRedisSocket, queueUrlOf, stackParts, type StackOptions } from './stack-parts.ts';
import { Supervisor, type PartName } from './supervisor.ts';

/** How long processes of an `up` that was killed are waited for. */
const LEFTOVER_MS = 45_000;
/** How long a queue that is not ours may take to answer. */
const QUEUE_MS = 5000;

export class Stack {
  readonly #options: StackOptions;
  readonly #supervisor: Supervisor;
  readonly #release: () => void;
  readonly #startedAt = new Date().toISOString();
  /** Where they serve, or served before they ended. */
  readonly #urls: { api?: string | undefined; worker?: string | undefined } = {};
  #serving = false;
  #ended = false;

  private constructor(options: StackOptions, release: () => void, ports: { api: number; worker: number }) {
    this.#options = options;
    this.#release = release;
    this.#supervisor = new Supervisor(stackParts(options, ports), (event) => {
      options.tell(event);
      if (event.kind !== 'ready') return;
      if (event.part === 'api' || event.part === 'worker') {
        this.#urls[event.part] = this.#supervisor.running(event.part)?.url;
      }
      if (this.#serving) this.#writeUpFile();
    });
  }

  /**
   * Starts everything; resolves when it is ready. Rejects with a `CommandError` when something cannot be started,
   * and when `signal` aborts; nothing is left running then.
   */
  static async start(options: StackOptions, signal: AbortSignal): Promise<Stack> {
    const { config, tell, fresh } = options;
    keepFilesPrivate();
    ensureDataFolder(config.dataDir);
    const release = lockDataFolder(config.dataDir);
    const open = makePrivate(config.dataDir);
    if (open.length > 0)
      tell({
        kind: 'note',
        text: `other users can read ${open.slice(0, 3).join(', ')}, which another user owns`,
      });
    let stack: Stack | undefined;
    try {
      await leftoversGone(config.dataDir, tell, signal);
      if (fresh) await emptyDataFolder(config);
      const ports = {
        api: await freePort(config.apiHost, config.apiPort, '--port'),
        worker: await workerPort(config),
      };
      if (config.queue !== undefined) {
        const description = await describeQueue(config.queue, QUEUE_MS);
        tell({
          kind: 'note',
          text: `the queue is ${description}, at ${withoutPassword(queueUrlOf(config))}`,
        });
      }
      await buildConsole((text) => tell({ kind: 'note', text }));
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
    if (this.#urls.api === undefined) throw new CommandError('the API did not report its address');
    return this.#urls.api;
  }

  get metrics(): UpFile['metrics'] {
    const { worker } = this.#urls;
    return { api: `${this.url}/metrics`, worker: worker === undefined ? null : `${worker}/metrics` };
  }

  /** Process ids; null for what is elsewhere, or between two starts. */
  get processes(): UpFile['processes'] {
    const pidOf = (name: PartName): number | null => this.#supervisor.running(name)?.pid ?? null;
    return { api: pidOf('api'), worker: pidOf('worker'), store: pidOf('store'), redis: pidOf('redis') };
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
    removeUpFile(this.#options.config.dataDir);
    this.#release();
  }

  #writeUpFile(): void {
    const { config, tell } = this.#options;
    try {
      writeUpFile(config.dataDir, {
        url: this.url,
        metrics: this.metrics,
        processes: this.processes,
        redis: withoutPassword(queueUrlOf(config)),
        startedAt: this.#startedAt,
      });
    } catch (error) {
      // What runs goes on; the file says what was, until it can be written again.
      tell({ kind: 'note', text: `up.json cannot be written: ${(error as Error).message}` });
    }
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
async function emptyDataFolder({ dataDir }: Config): Promise<void> {
  await (await adoptRedis(ownRedisSocket(dataDir)))?.stop(5000);
  for (const name of readdirSync(dataDir)) {
    if (name !== 'up.lock') rmSync(join(dataDir, name), { recursive: true, force: true });
  }
}

/** The usual port when it is free, else any: nothing but the metrics is served there, and `up` says where. */
async function workerPort({ workerPort: asked }: Config): Promise<number> {
  if (asked !== undefined) return freePort('127.0.0.1', asked, 'EMBEDMILL_WORKER_PORT');
  return freePort('127.0.0.1', 7071, '').catch(() => 0);
}

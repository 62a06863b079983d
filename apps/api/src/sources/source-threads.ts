import { Worker } from 'node:worker_threads';
import { childEnvironment, EmbedmillError, type ErrorCode } from '@embedmill/jobs';
import type { Spool } from '@embedmill/sources';
import type { InputOf, OutputOf, SourceTask } from './source-tasks.ts';

/**
 * The threads that read the content of sources (source-tasks.ts), so that no source can block the API's event loop or
 * exhaust its memory: a thread has its own heap, and is terminated when it falls silent.
 *
 * A thread runs one task at a time and is kept warm for a while, the last one permanently, because starting a thread
 * takes longer than reading most sources. Tasks without a free thread wait in their share's queue, and shares take
 * turns. A single share may use all threads but one, which is reserved for shares without any.
 */
export interface ThreadLimits {
  /** The maximum number of threads. */
  threads: number;
  heapMB: number;
  /** A thread that is silent for this long is terminated. */
  silenceMs: number;
}

export interface ThreadData {
  spoolPlace: string;
  pathStyle: boolean;
}
export type ToThread = { kind: 'run'; task: SourceTask; input: never } | { kind: 'abort' };
export type FromThread =
  | { kind: 'alive' }
  | { kind: 'done'; value: unknown }
  | { kind: 'failed'; code: ErrorCode; message: string; retryAfter: number | undefined };

/** Enough for the largest Parquet row group and its documents. */
export const USUAL_THREADS: ThreadLimits = { threads: 4, heapMB: 1536, silenceMs: 60_000 };
/** How long an idle thread is kept. */
const WARM_MS = 30_000;
/** How long a cancelled task may take to end. */
const ABORT_MS = 5000;

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const THREAD = new URL(`./source-thread.${extension}`, import.meta.url);

interface Waiting {
  share: string;
  start: () => void;
}

export class SourceThreads {
  readonly #data: ThreadData;
  readonly #limits: ThreadLimits;
  readonly #idle: SourceThread[] = [];
  readonly #running = new Map<string, number>();
  #waiting: Waiting[] = [];
  /** The share whose turn was last. */
  #last = '';

  constructor(spool: Pick<Spool, 'place' | 's3'>, limits: ThreadLimits = USUAL_THREADS) {
    this.#data = { spoolPlace: spool.place, pathStyle: spool.s3.pathStyle };
    this.#limits = limits;
  }

  /**
   * Runs a task in a thread on behalf of `share`. Errors: the task's own, `source_unreadable` if it exceeded its memory
   * or time, and the signal's reason.
   */
  async run<Name extends SourceTask>(
    task: Name,
    input: InputOf<Name>,
    { share = '', signal }: { share?: string | undefined; signal?: AbortSignal } = {},
  ): Promise<OutputOf<Name>> {
    await this.#turn(share, signal);
    let thread: SourceThread | undefined;
    try {
      signal?.throwIfAborted();
      thread = this.#idleThread() ?? new SourceThread(this.#data, this.#limits);
      return (await thread.run(task, input, signal)) as OutputOf<Name>;
    } finally {
      if (thread?.isUsable === true) this.#keep(thread);
      this.#count(share, -1);
      this.#next();
    }
  }

  /** Starts the thread that the first task will need. */
  warmUp(): void {
    if (this.#idle.length === 0) this.#keep(new SourceThread(this.#data, this.#limits));
  }

  /** Terminates idle threads. */
  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((thread) => thread.end()));
  }

  #idleThread(): SourceThread | undefined {
    let thread = this.#idle.pop();
    while (thread?.isUsable === false) thread = this.#idle.pop();
    return thread;
  }

  #keep(thread: SourceThread): void {
    this.#idle.push(thread);
    thread.rest(() => {
      if (this.#idle.length === 1) return;
      this.#idle.splice(this.#idle.indexOf(thread), 1);
      void thread.end();
    });
  }

  async #turn(share: string, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { share, start: resolve };
    const withdraw = (): void => {
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', withdraw, { once: true });
    this.#waiting.push(waiting);
    this.#next();
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', withdraw);
    }
  }

  /** Starts waiting tasks as far as threads allow, beginning with the share after the last one. */
  #next(): void {
    const { threads } = this.#limits;
    const own = Math.max(1, threads - 1);
    for (;;) {
      const busy = [...this.#running.values()].reduce((sum, one) => sum + one, 0);
      if (busy >= threads) return;
      const mayRun = this.#waiting.filter(({ share }) => (this.#running.get(share) ?? 0) < own);
      const shares = [...new Set(mayRun.map(({ share }) => share))].sort();
      const share = shares.find((one) => one > this.#last) ?? shares[0];
      const chosen = mayRun.find((one) => one.share === share);
      if (chosen === undefined) return;
      this.#last = chosen.share;
      this.#waiting = this.#waiting.filter((one) => one !== chosen);
      this.#count(chosen.share, 1);
      chosen.start();
    }
  }

  #count(share: string, change: number): void {
    const running = (this.#running.get(share) ?? 0) + change;
    if (running > 0) this.#running.set(share, running);
    else this.#running.delete(share);
  }
}

/** One thread, idle or running one task. After a failure or termination it is not used again. */
class SourceThread {
  readonly #worker: Worker;
  readonly #limits: ThreadLimits;
  #retire: NodeJS.Timeout | undefined;
  isUsable = true;

  constructor(workerData: ThreadData, limits: ThreadLimits) {
    this.#limits = limits;
    this.#worker = new Worker(THREAD, {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMB },
      env: childEnvironment(process.env, bucketSettings(process.env)),
    });
    this.#worker.unref();
    // The caller of a running task gets the error; without a task, the thread is just gone.
    this.#worker.on('error', () => (this.isUsable = false));
    this.#worker.on('exit', () => (this.isUsable = false));
  }

  /** Calls back after the thread was idle for a while. */
  rest(onRested: () => void): void {
    this.#retire = setTimeout(onRested, WARM_MS).unref();
  }

  async end(): Promise<void> {
    this.isUsable = false;
    clearTimeout(this.#retire);
    await this.#worker.terminate();
  }

  async run(task: SourceTask, input: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    clearTimeout(this.#retire);
    const worker = this.#worker;
    const { heapMB, silenceMs } = this.#limits;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const unreadable = (why: string, cause?: unknown) =>
      new EmbedmillError('source_unreadable', `the source cannot be read: ${why}`, { cause });
    const giveUp = (error: Error): void => {
      this.isUsable = false;
      reject(error);
      void worker.terminate();
    };
    const silent = setTimeout(
      () => giveUp(unreadable(`its reader did not respond for ${silenceMs / 1000} s`)),
      silenceMs,
    );
    let cut: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      worker.postMessage({ kind: 'abort' } satisfies ToThread);
      cut = setTimeout(() => giveUp(signal?.reason as Error), ABORT_MS);
    };
    const onMessage = (message: FromThread): void => {
      switch (message.kind) {
        case 'alive':
          silent.refresh();
          break;
        case 'done':
          resolve(message.value);
          break;
        case 'failed': {
          const { code, message: text, retryAfter } = message;
          reject(new EmbedmillError(code, text, retryAfter === undefined ? {} : { retryAfter }));
          break;
        }
      }
    };
    const onError = (error: Error & { code?: string }): void => {
      const isFull = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      reject(unreadable(isFull ? `it takes more than ${heapMB} MB of memory` : error.message, error));
    };
    const onExit = (): void => reject(unreadable('its reader ended'));
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      worker.postMessage({ kind: 'run', task, input: input as never } satisfies ToThread);
      return await promise;
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    } finally {
      clearTimeout(silent);
      clearTimeout(cut);
      signal?.removeEventListener('abort', onAbort);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    }
  }
}

/** Connection settings of the buckets that may hold sources and the spool. */
function bucketSettings(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith('AWS_')));
}

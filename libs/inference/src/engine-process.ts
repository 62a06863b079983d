/**
 * An engine in its own child process, seen from the parent.
 *
 * Modes: starting (the model loads) → ready → closed. From ready, if the child dies or hangs: restarting (a pause, then
 * starting again). From starting, if the child fails to start several times in a row: down, until the next `run` starts
 * it again.
 *
 * Invariants: at most `capacity` batches in flight, plus one urgent batch. A batch is sent to only one child: if that
 * child dies, the batch is rejected and never sent again, because it may have killed the child; the caller decides on a
 * retry. Batches that wait for a starting child survive its failure to start. One child at a time. Pauses double with
 * each death, up to a bound, until a batch succeeds.
 *
 * Used by the worker's encoder, one object per device.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { childEnvironment, EmbedmillError } from '@embedmill/jobs';
import type { Device } from './device.ts';
import type { Engine, EngineBatch, EngineOutput, EngineResult } from './engine.ts';
import type { EngineModel, FromEngine, GraphTuning, ImageModel, ToEngine } from './engine/protocol.ts';
import { defaultGraph, deviceEnvironment } from './engine/session-options.ts';

export interface EngineProcessOptions {
  /** The URL of a file that calls `serveEngine()`. */
  entry: URL;
  model: EngineModel | ImageModel;
  device: Device;
  /** By default, what is best for the device. */
  graph?: GraphTuning | undefined;
  /** See `SessionTuning`. */
  graphCache?: string | undefined;
  area?: number | undefined;
  /** Suppresses what native libraries print on stderr, for callers that probe devices that may not exist. */
  quiet?: boolean;
  /** How long the engine may take to answer a batch before it counts as hung; default 30 s. */
  deadlineMs?: number;
  /** The time limit for loading the model; default 2 minutes. */
  startDeadlineMs?: number;
  onEvent?: (event: EngineEvent) => void;
}

export type EngineEvent =
  | { kind: 'ready'; pid: number; seconds: number; restarts: number }
  /** `error` is what the batches in flight were rejected with. */
  | { kind: 'died'; pid: number | undefined; error: EmbedmillError; inFlight: number; pauseMs: number }
  /** It failed to start several times in a row; `error` says why. */
  | { kind: 'down'; error: EmbedmillError };

interface Pending {
  batch: EngineBatch;
  resolve: (result: EngineResult) => void;
  reject: (error: EmbedmillError) => void;
}

type State = 'starting' | 'ready' | 'restarting' | 'down' | 'closed';

const STARTS_IN_A_ROW = 5;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 5000;
const EXIT_GRACE_MS = 5000;

export class EngineProcess implements Engine {
  readonly capacity = 2;
  readonly #options: EngineProcessOptions;
  readonly #sent = new Map<number, Pending>();
  #unsent: Pending[] = [];
  #state: State = 'starting';
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #lastId = 0;
  #dims = 0;
  #outputs: readonly EngineOutput[] = [];
  #peakRssBytes = 0;
  #restarts = 0;
  #failedStarts = 0;
  #deathsInARow = 0;
  /** Why the child is about to die, if known better than by its exit code. */
  #verdict: EmbedmillError | undefined;
  #started: PromiseWithResolvers<void> | undefined = Promise.withResolvers();
  #idle: (() => void) | undefined;

  private constructor(options: EngineProcessOptions) {
    this.#options = options;
  }

  /**
   * Starts the process; resolves once the model is loaded and warm. Rejects with `model_corrupt` if the file is not a
   * usable model, or `model_unavailable` if it cannot be read or the engine cannot be started.
   */
  static async start(options: EngineProcessOptions): Promise<EngineProcess> {
    const engine = new EngineProcess(options);
    const started = engine.#started?.promise;
    engine.#spawn();
    await started;
    return engine;
  }

  get dims(): number {
    return this.#dims;
  }

  get outputs(): readonly EngineOutput[] {
    return this.#outputs;
  }

  /** The child's process id; undefined while there is no child. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How often the engine was restarted. */
  get restarts(): number {
    return this.#restarts;
  }

  get inFlight(): number {
    return this.#sent.size + this.#unsent.length;
  }

  /** The peak resident memory of any of its children. */
  get peakRssBytes(): number {
    return this.#peakRssBytes;
  }

  /** See `Engine.run`; beyond the bound it rejects with `overloaded`, after `close` with `engine_failed`. */
  run(batch: EngineBatch): Promise<EngineResult> {
    if (this.#state === 'closed') {
      return Promise.reject(new EmbedmillError('engine_failed', 'the engine is closed'));
    }
    if (this.inFlight >= this.capacity + (batch.urgent ? 1 : 0)) {
      const message = `the engine already has ${this.inFlight} batches in flight`;
      return Promise.reject(new EmbedmillError('overloaded', message));
    }
    const { promise, resolve, reject } = Promise.withResolvers<EngineResult>();
    const pending = { batch, resolve, reject };
    switch (this.#state) {
      case 'ready':
        this.#send(pending);
        break;
      case 'down':
        this.#unsent.push(pending);
        this.#failedStarts = 0;
        this.#spawn();
        break;
      case 'starting':
      case 'restarting':
        this.#unsent.push(pending);
        break;
    }
    return promise;
  }

  /** Waits for the batches in flight, then ends the process. */
  async close(): Promise<void> {
    if (this.#state !== 'down' && this.inFlight > 0) {
      await new Promise<void>((resolve) => (this.#idle = resolve));
    }
    this.#state = 'closed';
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const grace = setTimeout(() => child.kill('SIGKILL'), EXIT_GRACE_MS);
    if (child.connected) child.disconnect();
    await exited;
    clearTimeout(grace);
  }

  #spawn(): void {
    const { entry, model, device, graph = defaultGraph(device), graphCache, area } = this.#options;
    this.#state = 'starting';
    this.#startedAt = performance.now();
    this.#verdict = undefined;
    const child = fork(fileURLToPath(entry), [], {
      serialization: 'advanced',
      // An engine's garbage is mostly messages: a small young generation collects them often.
      execArgv: ['--max-semi-space-size=8'],
      // ONNX Runtime 1.30 would send telemetry to its makers; what runs here is its owner's business only.
      env: childEnvironment(process.env, { ORT_DISABLE_TELEMETRY: '1', ...deviceEnvironment(device) }),
      // The child's stdout would mix into the parent's output.
      stdio: this.#options.quiet === true ? ['ignore', 'ignore', 'ignore', 'ipc'] : ['ignore', 2, 2, 'ipc'],
    });
    this.#child = child;
    giveWay(child.pid);
    child.on('message', (message) => {
      if (this.#child === child) this.#receive(message as FromEngine);
    });
    child.once('exit', (code, signal) => this.#gone(child, signal ?? `exit code ${code}`));
    child.once('error', (error) => this.#gone(child, error.message));
    const tuning = { device, graph, graphCache, area };
    child.send({ kind: 'load', model, tuning } satisfies ToEngine, ignore);
    const { startDeadlineMs = 120_000 } = this.#options;
    this.#expect(
      startDeadlineMs,
      'model_unavailable',
      `the model was not loaded within ${startDeadlineMs} ms`,
    );
  }

  #receive(message: FromEngine): void {
    switch (message.kind) {
      case 'ready': {
        clearTimeout(this.#timer);
        this.#state = 'ready';
        this.#dims = message.dims;
        this.#outputs = message.outputs;
        this.#notePeakRss(message.peakRssBytes);
        this.#failedStarts = 0;
        this.#started?.resolve();
        this.#started = undefined;
        const seconds = (performance.now() - this.#startedAt) / 1000;
        this.#emit({ kind: 'ready', pid: this.#child?.pid ?? 0, seconds, restarts: this.#restarts });
        for (const pending of this.#unsent.splice(0)) this.#send(pending);
        return;
      }
      case 'unloadable':
        this.#kill(message.code, message.message);
        return;
      case 'ran':
        this.#deathsInARow = 0;
        this.#notePeakRss(message.peakRssBytes);
        this.#settle(message.id, ({ resolve }) => resolve(message));
        return;
      case 'failed':
        this.#settle(message.id, ({ reject }) => reject(new EmbedmillError(message.code, message.message)));
        return;
    }
  }

  #send(pending: Pending): void {
    const id = (this.#lastId += 1);
    this.#sent.set(id, pending);
    const { batch } = pending;
    // A send fails only if the child dies, which its exit event reports.
    this.#child?.send({ kind: 'run', id, ...batch } satisfies ToEngine, ignore);
    if (this.#sent.size === 1) this.#expectAnswer();
  }

  #settle(id: number, settle: (pending: Pending) => void): void {
    const pending = this.#sent.get(id);
    if (pending === undefined) return;
    this.#sent.delete(id);
    clearTimeout(this.#timer);
    if (this.#sent.size > 0) this.#expectAnswer();
    settle(pending);
    this.#noteIdle();
  }

  #expectAnswer(): void {
    const { deadlineMs = 30_000 } = this.#options;
    this.#expect(
      deadlineMs,
      'engine_timeout',
      `the engine did not respond within ${deadlineMs} ms and was killed`,
    );
  }

  #expect(withinMs: number, code: 'engine_timeout' | 'model_unavailable', message: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#kill(code, message), withinMs);
  }

  #kill(code: 'engine_timeout' | 'model_unavailable' | 'model_corrupt', message: string): void {
    this.#verdict = new EmbedmillError(code, message);
    this.#child?.kill('SIGKILL');
  }

  /** The child is gone: rejects its batches, and starts another child after a pause. */
  #gone(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    const { pid } = child;
    this.#child = undefined;
    clearTimeout(this.#timer);
    if (this.#state === 'closed') return;
    const failedStart = this.#state === 'starting';
    const died = `the engine process (pid ${pid}) died: ${how}`;
    const error =
      this.#verdict ??
      (failedStart
        ? new EmbedmillError('model_unavailable', `${died}, before the model was loaded`)
        : new EmbedmillError('engine_crashed', died));
    this.#failedStarts = failedStart ? this.#failedStarts + 1 : 0;
    this.#deathsInARow += 1;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#deathsInARow - 1));
    const lost = [...this.#sent.values()];
    this.#sent.clear();
    this.#emit({ kind: 'died', pid, error, inFlight: lost.length, pauseMs });

    if (this.#started !== undefined || this.#failedStarts >= STARTS_IN_A_ROW) {
      this.#state = 'down';
      this.#emit({ kind: 'down', error });
      lost.push(...this.#unsent.splice(0));
      this.#started?.reject(error);
    } else {
      this.#state = 'restarting';
      this.#timer = setTimeout(() => {
        this.#restarts += 1;
        this.#spawn();
      }, pauseMs);
    }
    for (const { reject } of lost) reject(error);
    this.#noteIdle();
  }

  #noteIdle(): void {
    if (this.inFlight === 0) this.#idle?.();
  }

  #notePeakRss(bytes: number): void {
    this.#peakRssBytes = Math.max(this.#peakRssBytes, bytes);
  }

  #emit(event: EngineEvent): void {
    this.#options.onEvent?.(event);
  }
}

/**
 * An engine computes continuously, while the processes that feed it, and the store, need short moments of CPU time.
 * They get them at once if the engine has a lower priority.
 */
function giveWay(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // The child has died already, or the system does not allow it: the priority stays as it was.
  }
}

function ignore(): void {}

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Room, type DispatcherQueue, type IngestHandle, type JobLook } from '@embedmill/queue';
import type { JobShards } from './job-shards.ts';
import type { JobEnd, RunningJob } from './running-job.ts';

export interface TurnOptions {
  /** The pause between two turns, in milliseconds; shorter while the queue fills or a job's last shards run. */
  pollMs: number;
  /** The most shards of a model that wait for workers. */
  mostShards: number;
  /** The weight of a share (`tenant:NAME`, `key:NAME`, or '' for all others) in the allocation of queue room. */
  weightOf: (share: string) => number;
  onTurn?: ((seconds: number) => void) | undefined;
}

const SHORT_PAUSE_MS = 10;
/** The least pause between two turns, however many jobs begin. */
const LEAST_PAUSE_MS = 3;
/** How many waiting jobs each turn checks for a cancellation. */
const IDLE_LOOKS = 200;
/** Without this, the same dispatcher would always be the first to find room. */
const jitter = (): number => 0.75 + Math.random() / 2;

/**
 * The loop of a dispatcher. Each turn checks all jobs with one call, allocates the room on each model's queue to the jobs
 * that wait for it, and lets these jobs act. So a waiting job takes no slot, no connection and no call of its own, and
 * the allocation considers all jobs at once.
 *
 * It runs while there is a job. A slow step of one job does not delay others: that job joins the next turn after the step.
 */
export class Turns {
  readonly #queue: DispatcherQueue;
  readonly #options: TurnOptions;
  readonly #name = randomUUID();
  readonly #jobs = new Set<RunningJob>();
  /** Jobs that wait to be scanned, with what to do on a cancellation. */
  readonly #watched = new Map<IngestHandle, () => void>();
  readonly #rooms = new Map<string, Room<JobShards>>();
  /** Where the last turn stopped checking the waiting jobs. */
  #idleFrom = 0;
  #isRunning = false;
  /** Whether a job came since the last turn began. */
  #isAwake = false;
  #wakeUp: (() => void) | undefined;

  constructor(queue: DispatcherQueue, options: TurnOptions) {
    this.#queue = queue;
    this.#options = options;
  }

  /** Runs a job until it is over. Rejects if it cannot continue, or with the signal's reason. */
  async run(job: RunningJob, signal: AbortSignal): Promise<JobEnd> {
    await job.begin();
    const stop = (): void => job.fail(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const room = this.#roomOf(job.model);
    this.#jobs.add(job);
    room.join(job.shards);
    this.#wake();
    try {
      return await job.ended;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#jobs.delete(job);
      room.leave(job.shards);
      await job.idle();
    }
  }

  /** Calls back once the job is cancelled, until the returned function is called. */
  watch(handle: IngestHandle, onCancelled: () => void): () => void {
    this.#watched.set(handle, onCancelled);
    this.#wake();
    return () => void this.#watched.delete(handle);
  }

  #roomOf(model: string): Room<JobShards> {
    const { weightOf, mostShards } = this.#options;
    const room = this.#rooms.get(model) ?? new Room({ dispatcher: this.#name, weightOf, mostShards });
    this.#rooms.set(model, room);
    return room;
  }

  #wake(): void {
    this.#isAwake = true;
    this.#wakeUp?.();
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#go();
  }

  async #go(): Promise<void> {
    let pauseMs = SHORT_PAUSE_MS;
    for (;;) {
      if (this.#isIdle) {
        // Others find out by themselves if they cannot be notified.
        await this.#leaveRooms().catch(() => undefined);
        // A job may have been added in the meantime.
        if (this.#isIdle) break;
      }
      const startedAt = performance.now();
      this.#isAwake = false;
      try {
        pauseMs = await this.#turn(pauseMs);
      } catch (error) {
        // Each job reports the error and is retried.
        for (const job of this.#jobs) job.fail(error);
        pauseMs = this.#options.pollMs;
      }
      this.#options.onTurn?.((performance.now() - startedAt) / 1000);
      await this.#pause(pauseMs);
    }
    this.#isRunning = false;
  }

  get #isIdle(): boolean {
    return this.#jobs.size + this.#watched.size === 0;
  }

  /** Returns the pause until the next turn. */
  async #turn(pausedMs: number): Promise<number> {
    const looks = await this.#look();
    const rooms = [...this.#rooms];
    const { pollMs } = this.#options;
    const pauses = await Promise.all(rooms.map(([model, room]) => this.#give(model, room)));
    const pause = Math.min(pollMs * jitter(), ...pauses);
    let isEnding = false;
    let hasMoved = false;
    for (const [job, look] of looks) {
      if (job.isBusy) continue;
      if (job.isEnding) {
        isEnding = true;
        hasMoved ||= look.settled > 0;
      }
      if (job.needsStep(look)) void job.step(look).then(() => this.#settleIn(job));
    }
    if (hasMoved) return SHORT_PAUSE_MS;
    return isEnding ? Math.min(pause, 2 * pausedMs) : pause;
  }

  /** Whether a job in its room has shards to add, or may get room again. */
  #settleIn(job: RunningJob): void {
    if (!this.#jobs.has(job)) return;
    const room = this.#roomOf(job.model);
    if (job.isEnding) room.leave(job.shards);
    else room.join(job.shards);
    // Shards taken during the step must be added.
    if (job.shards.taken > 0) this.#wake();
  }

  /** Checks all jobs with shards on the queue, and some of the waiting ones. */
  async #look(): Promise<Map<RunningJob, JobLook>> {
    const jobs = [...this.#jobs].filter((job) => !job.isBusy);
    const isIdle = (job: RunningJob): boolean =>
      job.shards.outstanding === 0 && job.shards.taken === 0 && !job.isEnding;
    const active = jobs.filter((job) => !isIdle(job));
    const idle: { handle: IngestHandle; job?: RunningJob; cancel?: () => void }[] = [
      ...jobs.filter(isIdle).map((job) => ({ handle: job.handle, job })),
      ...[...this.#watched].map(([handle, cancel]) => ({ handle, cancel })),
    ];
    if (this.#idleFrom >= idle.length) this.#idleFrom = 0;
    const some = idle.slice(this.#idleFrom, this.#idleFrom + IDLE_LOOKS);
    this.#idleFrom += some.length;
    const looked = [...active.map((job) => ({ handle: job.handle, job, cancel: undefined })), ...some];
    const looks = await this.#queue.look(looked.map(({ handle }) => handle));
    const found = new Map<RunningJob, JobLook>();
    for (const [n, look] of looks.entries()) {
      const { job, cancel } = looked[n] ?? {};
      if (look.isCancelled) cancel?.();
      if (job === undefined) continue;
      job.shards.outstanding = look.outstanding;
      found.set(job, look);
    }
    // A job that got room in this turn without being checked has nothing outstanding.
    for (const job of jobs) if (!found.has(job)) found.set(job, NOTHING_SEEN);
    return found;
  }

  /** Runs a turn for a model's room; returns the milliseconds until the next one is due. */
  async #give(model: string, room: Room<JobShards>): Promise<number> {
    if (room.jobs === 0) {
      this.#rooms.delete(model);
      await this.#queue.leave(model, room);
      return Infinity;
    }
    const adding = (): number =>
      [...this.#jobs].reduce((sum, job) => sum + (job.model === model ? job.adding : 0), 0);
    const { taken, waiting, isCut } = await this.#queue.turn(model, room, adding);
    return Math.max(SHORT_PAUSE_MS, 1000 * room.nextTurn(taken, waiting, isCut));
  }

  async #leaveRooms(): Promise<void> {
    for (const [model, room] of [...this.#rooms]) {
      if (room.jobs > 0) continue;
      this.#rooms.delete(model);
      await this.#queue.leave(model, room);
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(LEAST_PAUSE_MS);
    if (this.#isAwake || milliseconds <= LEAST_PAUSE_MS) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds - LEAST_PAUSE_MS);
    this.#wakeUp = resolve;
    await promise;
    this.#wakeUp = undefined;
    clearTimeout(timer);
  }
}

const NOTHING_SEEN: JobLook = {
  isHeld: true,
  isCancelled: false,
  priority: undefined,
  outstanding: 0,
  settled: 0,
};

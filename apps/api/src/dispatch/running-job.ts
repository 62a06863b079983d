import { AsyncLocalStorage } from 'node:async_hooks';
import type { Progress, ReportRoom, Shard, ShardResult, SourceRef } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import { areAllSettled, type IngestHandle, type JobLook } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import { JobShards } from './job-shards.ts';

export interface RunningJobParts {
  spool: Spool;
  mostShards: number;
  /** Of the jobs that others may have on the same documents: `IngestHandle.rival`. */
  rival: number;
  /** What may be said of its documents, of each kind. */
  reports: ReportRoom;
  log: Pick<Log, 'info' | 'warn'>;
  /** Gives a shard up whose workers died on it again and again. */
  loseShard: (shard: Shard) => Promise<ShardResult>;
  /** Called when results were added to the job's progress, with what it was before. */
  onFolded: (before: Progress) => Promise<void>;
}

/** A step that takes longer than this waits for something other than the queue. */
const LATE_MS = 1000;

/** How the dispatcher is done with a job. */
export type JobEnd = 'completed' | 'cancelled';

/**
 * One scanned job in its dispatcher's hands. `Turns` looks at all of them together and calls `step` where there is
 * something to do: put on the queue what the job was given room for, sum up what workers settled, end.
 *
 * One step at a time. Everything is in the job's record, saved before it counts.
 */
export class RunningJob {
  readonly handle: IngestHandle;
  readonly shards: JobShards;
  readonly #parts: RunningJobParts;
  readonly #end = Promise.withResolvers<JobEnd>();
  #isCancelled = false;
  #isOver = false;
  #stepAt = 0;
  #step: Promise<void> = Promise.resolve();
  /** Steps log and trace as what the job's dispatch does, whoever calls for them. */
  readonly #asItsDispatch = AsyncLocalStorage.snapshot();

  constructor(handle: IngestHandle, source: SourceRef, parts: RunningJobParts) {
    this.handle = handle;
    this.shards = new JobShards(handle, source, parts);
    this.#parts = parts;
    // Whoever runs the job is told; where nobody does any more, nobody is.
    this.#end.promise.catch(() => undefined);
  }

  get model(): string {
    return this.handle.record.collection.profile.model;
  }

  /** Resolves when nothing is left to do; rejects when it cannot go on here. */
  get ended(): Promise<JobEnd> {
    return this.#end.promise;
  }

  get isBusy(): boolean {
    return this.shards.isBusy;
  }

  /** Shards on their way to the queue; those of a step that hangs keep no room from others. */
  get adding(): number {
    const isLate = this.isBusy && performance.now() - this.#stepAt > LATE_MS;
    return isLate ? 0 : this.shards.taken;
  }

  /** Whether nothing of it will be added any more, so that it is over as soon as workers are. */
  get isEnding(): boolean {
    return this.#isCancelled || this.shards.areAllAdded;
  }

  /** Before its first turn: what the dispatcher before this one did not count, and the first shards of the manifest. */
  async begin(): Promise<void> {
    await this.#fold();
    await this.shards.readAhead();
  }

  /** Whether a look calls for a step. */
  needsStep({ isHeld, isCancelled, priority, outstanding, settled }: JobLook): boolean {
    if (this.#isOver) return false;
    const isAsked = isCancelled || (priority !== undefined && priority !== this.shards.priority);
    const isLeft = this.shards.taken > 0 || settled > 0;
    return !isHeld || isAsked || isLeft || (outstanding === 0 && this.isEnding);
  }

  /** Does what is to be done, by the latest look. Errors end the job here. */
  step(look: JobLook): Promise<void> {
    this.shards.isBusy = true;
    this.#stepAt = performance.now();
    this.#step = this.#asItsDispatch(() => this.#go(look))
      .catch((error: unknown) => this.fail(error))
      .finally(() => (this.shards.isBusy = false));
    return this.#step;
  }

  fail(error: unknown): void {
    this.#isOver = true;
    this.#end.reject(error);
  }

  /** Resolves once no step is under way. */
  async idle(): Promise<void> {
    await this.#step;
  }

  async #go({ isHeld, isCancelled, priority, outstanding, settled }: JobLook): Promise<void> {
    const { handle, shards } = this;
    // Says what to do about it.
    if (!isHeld) await handle.assertHeld();
    if (isCancelled) {
      this.#isCancelled = true;
      shards.end();
      await handle.withdrawShards();
    }
    const isAdding = shards.taken > 0;
    const before = handle.record;
    if (isAdding) await shards.add();
    if (priority !== undefined && priority !== shards.priority)
      handle.record = { ...handle.record, priority };
    if (settled > 0) await this.#fold();
    if (handle.record !== before && settled === 0) await handle.save();
    if (this.#isCancelled) {
      if (outstanding === 0 && settled === 0) this.#finish('cancelled');
    } else if (shards.areAllAdded && areAllSettled(handle.record.settled, handle.record.progress.shards)) {
      this.#finish('completed');
    } else if (shards.areAllAdded && !isAdding && outstanding === 0 && settled === 0) {
      const { shards: all, shardsDone: done } = handle.record.progress;
      this.#parts.log.warn({ shards: all, done }, 'the queue lost shards of the job; they are added again');
      shards.restart();
    }
    await shards.readAhead();
  }

  async #fold(): Promise<void> {
    const { progress } = this.handle.record;
    if ((await this.handle.fold(this.#parts.loseShard)) > 0) await this.#parts.onFolded(progress);
  }

  #finish(end: JobEnd): void {
    this.#isOver = true;
    this.#end.resolve(end);
  }
}

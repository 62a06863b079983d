import { AsyncLocalStorage } from 'node:async_hooks';
import type { Progress, ReportRoom, Shard, ShardResult, SourceRef } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import { areAllSettled, type IngestHandle, type IngestRecord, type JobLook } from '@embedmill/queue';
import type { ManifestTotals, Spool } from '@embedmill/sources';
import { JobShards } from './job-shards.ts';

export interface RunningJobParts {
  spool: Spool;
  mostShards: number;
  /** What may be said of its documents, of each kind. */
  reports: ReportRoom;
  log: Pick<Log, 'info' | 'warn'>;
  /** Gives up a shard on which workers died repeatedly. */
  loseShard: (shard: Shard) => Promise<ShardResult>;
  /** Called when results were added to the job's progress, with what it was before. */
  onFolded: (before: Progress) => Promise<void>;
}

/** A step that takes longer than this is waiting for something other than the queue. */
const LATE_MS = 1000;

/** A section that is in the manifest now, and whether it is the last one. */
export interface ScannedSection extends Pick<ManifestTotals, 'documents' | 'shards' | 'end'> {
  isLast: boolean;
}

/** How the dispatcher finishes a job. */
export type JobEnd = 'completed' | 'cancelled';

/**
 * One job of a dispatcher whose source, or the first section of it, is scanned. `Turns` checks all of them together and calls `step` where there is something to do:
 * add the shards that the job has room for, aggregate what workers settled, or end.
 *
 * Steps run one at a time. The state is in the job's record, which is saved before it takes effect.
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
  /** Scanned, and not in the record yet. */
  #scanned: { section: ScannedSection; isNoted: () => void } | undefined;
  /** Steps log and trace as part of the job's dispatch, whoever calls them. */
  readonly #asItsDispatch = AsyncLocalStorage.snapshot();

  constructor(handle: IngestHandle, source: SourceRef, parts: RunningJobParts) {
    this.handle = handle;
    this.shards = new JobShards(handle, source, parts);
    this.#parts = parts;
    // Reaches whoever runs the job; if nobody does any more, it is ignored.
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

  /** Shards being added to the queue; a step that hangs does not block room for others. */
  get adding(): number {
    const isLate = this.isBusy && performance.now() - this.#stepAt > LATE_MS;
    return isLate ? 0 : this.shards.taken;
  }

  /** Whether no more shards will be added, so that the job ends when its workers finish. */
  get isEnding(): boolean {
    return this.#isCancelled || this.shards.areAllAdded;
  }

  /** Prepares the first turn: counts what the previous dispatcher did not, and reads the first shards of the manifest. */
  async begin(): Promise<void> {
    await this.#fold();
    await this.shards.readAhead();
  }

  /**
   * Adds the shards of one more section to those that are to be dispatched. Resolves once the record says so, or the job is
   * over.
   */
  async extend(section: ScannedSection): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#scanned = { section, isNoted: resolve };
    await Promise.race([promise, this.ended.catch(() => undefined)]);
  }

  /** Whether a check requires a step. */
  needsStep({ isHeld, isCancelled, priority, outstanding, settled }: JobLook): boolean {
    if (this.#isOver) return false;
    const isAsked = isCancelled || (priority !== undefined && priority !== this.shards.priority);
    const isLeft = this.shards.taken > 0 || settled > 0 || this.#scanned !== undefined;
    return !isHeld || isAsked || isLeft || (outstanding === 0 && this.isEnding);
  }

  /** Does what the latest check requires. Errors end the job on this dispatcher. */
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

  /** Resolves once no step is running. */
  async idle(): Promise<void> {
    await this.#step;
  }

  async #go({ isHeld, isCancelled, priority, outstanding, settled }: JobLook): Promise<void> {
    const { handle, shards } = this;
    // The message says what to do.
    if (!isHeld) await handle.assertHeld();
    if (isCancelled) {
      this.#isCancelled = true;
      shards.end();
      await handle.withdrawShards();
    }
    await this.#noteScanned();
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
      this.#parts.log.warn({ shards: all, done }, 'the queue lost shards of the job; adding them again');
      shards.restart();
    }
    await shards.readAhead();
  }

  async #noteScanned(): Promise<void> {
    if (this.#scanned === undefined) return;
    const { section, isNoted } = this.#scanned;
    const { record } = this.handle;
    this.handle.record = withSection(record, section);
    await this.handle.save();
    this.#scanned = undefined;
    isNoted();
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

/** The record once the next section is in the manifest; of a job whose sections are not all scanned, see its `unscanned`. */
export function withSection(
  record: IngestRecord,
  { documents, shards, end, isLast }: ScannedSection,
): IngestRecord {
  const { progress, unscanned } = record;
  const section = (unscanned?.section ?? 0) + 1;
  const rest = Number(!isLast) - Number(unscanned !== undefined);
  return {
    ...record,
    progress: {
      ...progress,
      documents: progress.documents + documents,
      shards: progress.shards + shards + rest,
    },
    unscanned: isLast ? undefined : { section, ...end },
  };
}

import type { Priority } from '@embedmill/jobs';
import type { WaitingJob } from '@embedmill/queue';
import type { LoadedJob } from './cluster.ts';

/** Tokens of a full shard. */
const SHARD_TOKENS = 65_536;
/** The most shards of the manifest that a dispatcher reads ahead. */
const READ_AHEAD = 256;

/** A job in the simulation: what its dispatcher knows of it, and its progress. */
export class SimulatedJob implements WaitingJob {
  readonly id: string;
  readonly share: string;
  readonly priority: Priority;
  readonly size: number;
  readonly shards: number;
  readonly submittedAt: number;
  /** The number of its first shard. */
  readonly first: number;
  readonly #mostShards: number;
  /**
   * `cursor`: shards taken so far; `added`: those of them that were put on the queue; `outstanding`: those that are not
   * done.
   */
  cursor = 0;
  added = 0;
  outstanding = 0;
  done = 0;
  /** While the shards of one turn are being added, no more are taken. */
  isBusy = false;
  dispatcher = -1;
  finishedAt: number | undefined;

  constructor(id: string, first: number, job: LoadedJob, mostShards: number) {
    const { share = '', priority = 'normal', size = 1, shards, submittedAt } = job;
    this.id = id;
    this.first = first;
    this.share = share;
    this.priority = priority;
    this.size = Math.max(1, size * SHARD_TOKENS);
    this.shards = shards;
    this.submittedAt = submittedAt;
    this.#mostShards = mostShards;
  }

  get ready(): number {
    if (this.isBusy) return 0;
    const left = Math.min(READ_AHEAD, this.shards - this.cursor);
    return Math.max(0, Math.min(left, this.#mostShards - this.outstanding));
  }

  get isAllAdded(): boolean {
    return this.cursor === this.shards;
  }

  /** Tokens of all its settled shards. */
  get doneTokens(): number {
    return this.done * this.size;
  }

  take(): void {
    this.cursor += 1;
    this.outstanding += 1;
  }
}

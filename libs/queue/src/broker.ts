import type { Processor, Telemetry, Worker, WorkerOptions } from 'bullmq';
import type { BullQueues } from './bull-queues.ts';
import type { QueueMemory } from './memory.ts';

/** What every queue and worker of a broker has. */
export interface BrokerOptions {
  prefix: string;
  telemetry?: Telemetry;
}

/** A worker's options without those that the broker knows. */
export type BrokerWorkerOptions = Omit<WorkerOptions, 'connection' | 'prefix' | 'telemetry'>;

/** What closes a worker or ends one of its jobs, and says what went wrong. */
export type BrokerWorker = Pick<Worker, 'close' | 'on' | 'cancelJob'>;

/** Something to be added to one of a set of counts. */
export interface Count {
  counts: string;
  field: string;
  by: number;
}

/** An active job, and keys that say what is asked of it. */
export interface HeldJob {
  id: string;
  /** Of its lock. */
  token: string;
  keys: readonly string[];
}

/** A name of a job, and the lists that it leaves and comes into. */
export interface Listing {
  place: string;
  from: readonly string[];
  to: readonly string[];
}

/** A job as it is kept. */
export interface StoredJob {
  data: unknown;
  /** Epoch milliseconds. */
  createdAt: number;
  /** When its dispatcher let go of it; undefined while it has not. */
  finishedAt: number | undefined;
}

export interface HeldLook {
  /** Whether the lock is still this token's. */
  isHeld: boolean;
  /** Children that have not been settled, and that have and were not forgotten. */
  outstanding: number;
  settled: number;
  /** The keys' values. */
  asked: (string | null)[];
}

/**
 * What holds the queues: Redis, or PostgreSQL. BullMQ's queues and workers on it, and the little that is kept beside
 * them: short texts under a key, sets of names, and messages that are lost where nobody listens.
 *
 * Calls wait for the broker to come back, as long as it takes: callers set their own deadlines.
 */
export interface Broker {
  readonly queues: BullQueues;
  /** Takes jobs from the queue of this name until it is closed. Its maker closes it, before the broker. */
  worker<Data, Result>(
    name: string,
    processor: Processor<Data, Result>,
    options: BrokerWorkerOptions,
  ): BrokerWorker;
  /**
   * Rejects with `queue_unavailable` when it does not answer within `deadlineMs`, with `queue_may_evict` when it may drop
   * jobs, and with `invalid_config` when it can never be used.
   */
  assertUsable(deadlineMs?: number): Promise<void>;
  ping(): Promise<void>;
  /** How full its memory is; of a cluster the fullest node's. Undefined where it is not held in memory. */
  memory(): Promise<QueueMemory | undefined>;
  /** Which program and version it is. */
  describe(): Promise<string>;

  get(key: string): Promise<string | null>;
  /** Gone after `seconds`. */
  set(key: string, value: string, seconds: number): Promise<void>;
  /** As `set`, where the value is still `before`; says whether it was. */
  swap(key: string, before: string, value: string, seconds: number): Promise<boolean>;
  /** As `set`, where the key is not there; says whether it was not. */
  setIfAbsent(key: string, value: string, seconds: number): Promise<boolean>;
  delete(key: string): Promise<void>;
  /** Adds to counts, which are gone `seconds` after they were added to last. */
  addCounts(added: readonly Count[], seconds: number): Promise<void>;
  /** All of some sets of counts, in their order. */
  readCounts(names: readonly string[]): Promise<Record<string, number>[]>;
  /**
   * Changes a job's data and adds to counts, both or neither, by what `change` makes of the data as it is; nothing where
   * that gives undefined, or the job is not there.
   */
  changeAndCount(
    queue: string,
    id: string,
    change: (data: unknown) => { data: object; added: readonly Count[] } | undefined,
    seconds: number,
  ): Promise<void>;
  addMember(set: string, member: string): Promise<void>;
  members(set: string): Promise<string[]>;

  /**
   * The next sequence: the greatest of the broker's own clock in microseconds, two more than the last one, and two more
   * than `after`, which guards against a broker that forgot its last one. In the same step `member` gets that rank in a
   * ranked set, so that nobody sees a later sequence before this member.
   */
  nextSequence(set: string, member: string, after: number): Promise<number>;
  /** Adds a member to a ranked set, or changes its rank. */
  addRanked(set: string, member: string, rank: number): Promise<void>;
  removeRanked(set: string, member: string): Promise<void>;
  /** The greatest rank below this one; 0 where there is none. */
  rankBelow(set: string, rank: number): Promise<number>;
  /** All members, the lowest first. */
  ranked(set: string): Promise<{ member: string; rank: number }[]>;

  /** Takes a place out of some lists and puts it into others, all or nothing. */
  list(listing: Listing): Promise<void>;
  /** The greatest places of a list, compared by their bytes, that are below one; the greatest first. */
  placesBelow(list: string, below: string | undefined, limit: number): Promise<string[]>;
  /** Of each place whether it is in all these lists. */
  areListed(asked: readonly { place: string; lists: readonly string[] }[]): Promise<boolean[]>;
  /** Some jobs of a queue, in the order of their ids; undefined where there is none. */
  readJobs(queue: string, ids: readonly string[]): Promise<(StoredJob | undefined)[]>;

  publish(channel: string, message: Uint8Array): Promise<void>;
  /** One channel a broker. Resolves once nothing that is published is missed any more. */
  subscribe(channel: string, receive: (message: Uint8Array) => void): Promise<void>;

  /** Calls back whenever it is back after it was away, and may have less than it had. */
  onReturn(callback: () => void): void;

  /** Whether the lock of an active job is still this token's. */
  isHeld(queue: string, id: string, token: string): Promise<boolean>;
  /** Writes an active job's data and its lists, for as long as its lock is this token's; says whether it did. */
  saveHeld(queue: string, id: string, token: string, data: object, listing?: Listing): Promise<boolean>;
  /** How it stands with active jobs, in their order, in one call. */
  lookAtHeld(queue: string, jobs: readonly HeldJob[]): Promise<HeldLook[]>;
  /** Takes settled children out of their parent's record; `childKeys` as BullMQ's `getDependencies` gives them. */
  forgetChildren(queue: string, parentId: string, childKeys: string[]): Promise<void>;
  /** Takes back the children that nobody has begun: what was begun is to be ended, by another worker if need be. */
  withdrawChildren(queue: string, parentId: string): Promise<void>;

  close(): Promise<void>;
}

/** As `swap`, or as `setIfAbsent` where nothing was there before. */
export function exchange(
  broker: Pick<Broker, 'swap' | 'setIfAbsent'>,
  key: string,
  before: string | null,
  value: string,
  seconds: number,
): Promise<boolean> {
  return before === null ? broker.setIfAbsent(key, value, seconds) : broker.swap(key, before, value, seconds);
}

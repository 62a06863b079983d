import type { Processor, Telemetry, Worker, WorkerOptions } from 'bullmq';
import type { BullQueues } from './bull-queues.ts';
import type { QueueMemory } from './memory.ts';

/** The options of every queue and worker of a broker. */
export interface BrokerOptions {
  prefix: string;
  telemetry?: Telemetry;
}

/** A worker's options without those that the broker sets. */
export type BrokerWorkerOptions = Omit<WorkerOptions, 'connection' | 'prefix' | 'telemetry'>;

/** Closes a worker or ends one of its jobs, and reports errors. */
export type BrokerWorker = Pick<Worker, 'close' | 'on' | 'cancelJob'>;

/** An increment of one count in a set. */
export interface Count {
  counts: string;
  field: string;
  by: number;
}

/** An active job, and the keys with requests to it. */
export interface HeldJob {
  id: string;
  /** Of its lock. */
  token: string;
  keys: readonly string[];
}

/** A job's place, and the lists that it leaves and enters. */
export interface Listing {
  place: string;
  from: readonly string[];
  to: readonly string[];
}

/** A stored job. */
export interface StoredJob {
  data: unknown;
  /** Epoch milliseconds. */
  createdAt: number;
  /** When its dispatcher released it; undefined before. */
  finishedAt: number | undefined;
}

export interface HeldLook {
  /** Whether the lock is still this token's. */
  isHeld: boolean;
  /** Children that have not been settled, and settled ones that were not removed. */
  outstanding: number;
  settled: number;
  /** The keys' values. */
  asked: (string | null)[];
}

/**
 * The server of the queues, Redis or PostgreSQL: BullMQ's queues and workers on it, and a little further data: short texts
 * under a key, sets of names, and messages that are lost if nobody listens.
 *
 * Calls wait for an unavailable broker without limit; callers set their own deadlines.
 */
export interface Broker {
  readonly queues: BullQueues;
  /** Processes jobs of the queue with this name until it is closed. Its creator closes it, before the broker. */
  worker<Data, Result>(
    name: string,
    processor: Processor<Data, Result>,
    options: BrokerWorkerOptions,
  ): BrokerWorker;
  /**
   * Rejects with `queue_unavailable` if it does not respond within `deadlineMs`, with `queue_may_evict` if it may evict
   * jobs, and with `invalid_config` if it can never be used.
   */
  assertUsable(deadlineMs?: number): Promise<void>;
  ping(): Promise<void>;
  /** Its memory usage; for a cluster that of the fullest node. Undefined if it is not in memory. */
  memory(): Promise<QueueMemory | undefined>;
  /** Its program and version. */
  describe(): Promise<string>;

  get(key: string): Promise<string | null>;
  /** Expires after `seconds`. */
  set(key: string, value: string, seconds: number): Promise<void>;
  /** Like `set`, if the value is still `before`; returns whether it was. */
  swap(key: string, before: string, value: string, seconds: number): Promise<boolean>;
  /** Like `set`, if the key does not exist; returns whether it did not. */
  setIfAbsent(key: string, value: string, seconds: number): Promise<boolean>;
  delete(key: string): Promise<void>;
  /** Adds to counts, which expire `seconds` after their last change. */
  addCounts(added: readonly Count[], seconds: number): Promise<void>;
  /** All counts of some sets, in the order of the sets. */
  readCounts(names: readonly string[]): Promise<Record<string, number>[]>;
  /**
   * Changes a job's data and adds to counts atomically, as `change` derives from the current data; does nothing if that
   * returns undefined or the job does not exist.
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
   * The next sequence: the greatest of the broker's clock in microseconds, two more than the last one, and two more than
   * `after`, which guards against a broker that lost its last one. In the same step `member` gets that rank in a ranked
   * set, so that nobody sees a later sequence before this member. With `room`, it is so much greater, so that those below
   * it are nobody else's.
   */
  nextSequence(set: string, member: string, after: number, room?: number): Promise<number>;
  /** Adds a member to a ranked set, or changes its rank. */
  addRanked(set: string, member: string, rank: number): Promise<void>;
  removeRanked(set: string, member: string): Promise<void>;
  /** The greatest rank below this one; 0 if there is none. */
  rankBelow(set: string, rank: number): Promise<number>;
  /** All members, lowest first. */
  ranked(set: string): Promise<{ member: string; rank: number }[]>;

  /** Removes a place from some lists and adds it to others, atomically. */
  list(listing: Listing): Promise<void>;
  /** The greatest places of a list below a place, compared by bytes; greatest first. */
  placesBelow(list: string, below: string | undefined, limit: number): Promise<string[]>;
  /** For each place, whether it is in all these lists. */
  areListed(asked: readonly { place: string; lists: readonly string[] }[]): Promise<boolean[]>;
  /** Some jobs of a queue, in the order of their ids; undefined for missing ones. */
  readJobs(queue: string, ids: readonly string[]): Promise<(StoredJob | undefined)[]>;

  publish(channel: string, message: Uint8Array): Promise<void>;
  /** One channel per broker. Resolves once no published message is missed any more. */
  subscribe(channel: string, receive: (message: Uint8Array) => void): Promise<void>;

  /** Calls back whenever it is available again, possibly with less data than before. */
  onReturn(callback: () => void): void;

  /** Whether the lock of an active job is still this token's. */
  isHeld(queue: string, id: string, token: string): Promise<boolean>;
  /** Writes an active job's data and its lists if its lock is still this token's; returns whether it did. */
  saveHeld(queue: string, id: string, token: string, data: object, listing?: Listing): Promise<boolean>;
  /** The state of active jobs, in their order, in one call. */
  lookAtHeld(queue: string, jobs: readonly HeldJob[]): Promise<HeldLook[]>;
  /** Removes settled children from their parent's record; `childKeys` are as returned by BullMQ's `getDependencies`. */
  forgetChildren(queue: string, parentId: string, childKeys: string[]): Promise<void>;
  /** Removes the children that nobody has started; started ones will be finished, if necessary by another worker. */
  withdrawChildren(queue: string, parentId: string): Promise<void>;

  close(): Promise<void>;
}

/** Like `swap`, or like `setIfAbsent` if there was no value before. */
export function exchange(
  broker: Pick<Broker, 'swap' | 'setIfAbsent'>,
  key: string,
  before: string | null,
  value: string,
  seconds: number,
): Promise<boolean> {
  return before === null ? broker.setIfAbsent(key, value, seconds) : broker.swap(key, before, value, seconds);
}

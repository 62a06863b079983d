import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { readKept, workerNoteSchema, type WorkerNote } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { answered } from './connection.ts';
import { workerKey, WORKERS } from './names.ts';
import { SharedRead } from './shared-read.ts';

/**
 * The workers of this queue. Each one keeps a note about itself in the broker, which expires unless renewed, and its
 * name in a set ranked by its last renewal. A worker that ends removes both; one that dies leaves its name, so that its
 * absence is noticed.
 */

/** A busy worker, or one whose broker was unavailable, has several attempts before its note expires. */
const EXPIRY_SECONDS = 20;
const RENEW_MS = 3000;
/** How long a dead worker is reported as missing; then its name is removed. */
const MISSED_MS = 3600 * 1000;
/** The maximum number of workers read. */
const MOST_WORKERS = 1000;
/** The maximum number of jobs listed per worker, of those whose shards it is processing. */
const MOST_JOBS = 10;

/** The worker's part of the note. */
export type WorkerState = Pick<WorkerNote, 'models' | 'memoryBytes' | 'engineRestarts'>;

/** The consumer's part: the shards in progress. */
export interface ShardsInHand {
  readonly most: number;
  /** By job. */
  readonly counts: ReadonlyMap<string, number>;
}

/** A worker's side: renews its note until it is stopped. */
export class WorkerNotes {
  readonly #broker: Broker;
  readonly #inHand: ShardsInHand;
  readonly #id = `${hostname()} ${process.pid} ${randomUUID().slice(0, 8)}`;
  readonly #startedAt = new Date().toISOString();
  #renewing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(broker: Broker, inHand: ShardsInHand) {
    this.#broker = broker;
    this.#inHand = inHand;
  }

  /** Resolves once the note is visible to everyone. */
  async start(describe: () => WorkerState): Promise<void> {
    const renew = (): Promise<void> => {
      // Runs after all earlier writes; then the note is removed.
      this.#renewing = this.#renewing.then(() => this.#renew(describe())).catch(() => undefined);
      return this.#renewing;
    };
    this.#timer = setInterval(() => void renew(), RENEW_MS).unref();
    await renew();
  }

  async stop(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    await this.#renewing;
    await answered(
      Promise.all([this.#broker.removeRanked(WORKERS, this.#id), this.#broker.delete(workerKey(this.#id))]),
    ).catch(() => undefined);
  }

  async #renew(state: WorkerState): Promise<void> {
    const { most, counts } = this.#inHand;
    const note: WorkerNote = {
      id: this.#id,
      host: hostname(),
      pid: process.pid,
      startedAt: this.#startedAt,
      at: new Date().toISOString(),
      shards: [...counts.values()].reduce((sum, count) => sum + count, 0),
      mostShards: most,
      jobs: [...counts.keys()].slice(0, MOST_JOBS),
      ...state,
    };
    await this.#broker.addRanked(WORKERS, this.#id, Date.now());
    await this.#broker.set(workerKey(this.#id), JSON.stringify(note), EXPIRY_SECONDS);
  }
}

export interface Workers {
  present: WorkerNote[];
  /** The workers that ended without removing their names. */
  gone: { id: string; seenAt: string }[];
}

/** The producer's side. */
export class WorkerLook {
  readonly #broker: Broker;
  readonly #shared = new SharedRead(() => answered(this.#read(Date.now())));

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  workers(): Promise<Workers> {
    return this.#shared.ask();
  }

  async #read(now: number): Promise<Workers> {
    const known = (await this.#broker.ranked(WORKERS)).slice(-MOST_WORKERS);
    const texts = await Promise.all(known.map(({ member }) => this.#broker.get(workerKey(member))));
    const workers: Workers = { present: [], gone: [] };
    for (const [n, { member, rank }] of known.entries()) {
      const text = texts[n] ?? null;
      // Unknown fields from a worker of another version are dropped.
      const note = text === null ? undefined : readKept(workerNoteSchema, JSON.parse(text)).data;
      if (note !== undefined) workers.present.push(note);
      else if (now - rank > MISSED_MS) await this.#broker.removeRanked(WORKERS, member);
      else if (text === null) workers.gone.push({ id: member, seenAt: new Date(rank).toISOString() });
    }
    return workers;
  }
}

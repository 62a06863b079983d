import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { readKept, workerNoteSchema, type WorkerNote } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { answered } from './connection.ts';
import { workerKey, WORKERS } from './names.ts';
import { SharedRead } from './shared-read.ts';

/**
 * Who works here: each worker keeps a note of itself in the broker, which expires where it is not renewed, and its name
 * in a set ranked by when it was renewed last. One that ends takes both back; one that dies leaves its name, so that it
 * can be missed.
 */

/** A worker that is busy, or whose broker was away, has some tries before its note expires. */
const EXPIRY_SECONDS = 20;
const RENEW_MS = 3000;
/** How long one that died is missed; after this its name is taken away. */
const MISSED_MS = 3600 * 1000;
/** Of those that are looked at. */
const MOST_WORKERS = 1000;
/** Jobs that are named, of those whose shards a worker has in hand. */
const MOST_JOBS = 10;

/** What the worker itself knows. */
export type WorkerState = Pick<WorkerNote, 'models' | 'memoryBytes' | 'engineRestarts'>;

/** What its consumer knows of the shards in hand. */
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

  /** Resolves once everyone can know. */
  async start(describe: () => WorkerState): Promise<void> {
    const renew = (): Promise<void> => {
      // One after another: after the last, the note is taken back.
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
  /** Those that ended without saying so. */
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
      // What a worker of another version says, that this one does not know, is not told.
      const note = text === null ? undefined : readKept(workerNoteSchema, JSON.parse(text)).data;
      if (note !== undefined) workers.present.push(note);
      else if (now - rank > MISSED_MS) await this.#broker.removeRanked(WORKERS, member);
      else if (text === null) workers.gone.push({ id: member, seenAt: new Date(rank).toISOString() });
    }
    return workers;
  }
}

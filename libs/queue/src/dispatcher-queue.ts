import { prioritySchema, type JobId, type Priority } from '@embedmill/jobs';
import { exchange, type Broker } from './broker.ts';
import { UNCLAIMED } from './bull-queues.ts';
import { cancelKey, INGEST_QUEUE, priorityKey, roomKey, shardQueue } from './names.ts';
import { parseLedger, type RoomLedger } from './room-ledger.ts';
import type { PlannedTurn, Room, WaitingJob } from './room.ts';

/** A job of a dispatcher, and the lock that holds it. */
interface HeldJob {
  readonly id: JobId;
  readonly token: string;
}

/** The state of a job of a dispatcher. */
export interface JobLook {
  /** Whether the dispatcher still holds it. */
  isHeld: boolean;
  isCancelled: boolean;
  /** The priority requested since the submission. */
  priority: Priority | undefined;
  /** Added shards that have not been settled. */
  outstanding: number;
  /** Shards whose results have not been aggregated. */
  settled: number;
}

export interface RoomTurn<Job> {
  /** Jobs that took room. */
  taken: Set<Job>;
  /** Shards on the queue that nobody had claimed. */
  waiting: number;
  /** Whether there was room for more than one turn takes. */
  isCut: boolean;
}

/** A ledger that nobody has used for this long is obsolete. */
const LEDGER_SECONDS = 60;
/** Each dispatcher turns some times a second: among many, somebody else is faster now and then. */
const TRIES = 8;

/** A dispatcher's calls to the broker for all its jobs together, so that a waiting job costs almost nothing. */
export class DispatcherQueue {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** The states of the jobs, in their order. */
  async look(handles: readonly HeldJob[]): Promise<JobLook[]> {
    const held = handles.map(({ id, token }) => ({ id, token, keys: [cancelKey(id), priorityKey(id)] }));
    const looks = await this.#broker.lookAtHeld(INGEST_QUEUE, held);
    return looks.map(({ isHeld, outstanding, settled, asked: [cancel = null, priority = null] }) => ({
      isHeld,
      isCancelled: cancel !== null,
      priority: prioritySchema.safeParse(priority).data,
      outstanding,
      settled,
    }));
  }

  /**
   * Takes a turn on the room of a model's queue: its jobs `take` what they are given.
   * `adding`: shards of earlier turns that are still on their way to the queue.
   */
  async turn<Job extends WaitingJob>(
    model: string,
    room: Room<Job>,
    adding: () => number,
  ): Promise<RoomTurn<Job>> {
    const key = roomKey(model);
    for (let tries = 1; ; tries += 1) {
      const [text, count] = await Promise.all([
        this.#broker.get(key),
        this.#broker.queues.get(shardQueue(model)).getJobCountByTypes(...UNCLAIMED),
      ]);
      const waiting = count + adding();
      const plan: PlannedTurn = room.plan(parseLedger(text), { waiting, now: performance.now() / 1000 });
      if (!plan.isToBeKept || (await this.#exchange(key, text, plan.ledger)))
        return { taken: room.take(plan), waiting: count, isCut: plan.isCut };
      if (tries >= TRIES) return { taken: new Set(), waiting: count, isCut: false };
    }
  }

  /** This dispatcher has no more work for the model for now. */
  async leave<Job extends WaitingJob>(model: string, room: Room<Job>): Promise<void> {
    const key = roomKey(model);
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const text = await this.#broker.get(key);
      if (text === null || (await this.#exchange(key, text, room.end(parseLedger(text))))) return;
    }
  }

  #exchange(key: string, before: string | null, ledger: RoomLedger): Promise<boolean> {
    return exchange(this.#broker, key, before, JSON.stringify(ledger), LEDGER_SECONDS);
  }
}

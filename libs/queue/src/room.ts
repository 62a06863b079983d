import type { Priority } from '@embedmill/jobs';
import { LEAST_WAITING, leadAfter, type ClaimRate, type Lead, type QueueLook } from './lead.ts';
import {
  entriesOf,
  givenToOthers,
  hasRoom,
  takeTurn,
  tokensOfLast,
  withoutDispatcher,
  type ByFlow,
  type Demand,
  type RoomLedger,
} from './room-ledger.ts';
import { RoundRobin } from './round-robin.ts';

/** A running job with shards that are not on the queue yet. */
export interface WaitingJob {
  readonly id: string;
  /** The share whose room it takes: its tenant's, or that of the key that submitted it. */
  readonly share: string;
  readonly priority: Priority;
  /** The shards that it could add now. */
  readonly ready: number;
  /** The estimated tokens of the next shard; called only if some are ready. */
  readonly size: number;
  /** Takes the next ready shard. */
  take(): void;
}

/** A planned turn that has not been taken; another dispatcher may have replaced the ledger meanwhile. */
export interface PlannedTurn {
  ledger: RoomLedger;
  /** Whether the new ledger should be written for the others; otherwise it stays unchanged. */
  isToBeKept: boolean;
  /** Whether there was room for more than one turn takes. */
  isCut: boolean;
  granted: ByFlow<Lead>;
  /** Small shards that may be taken in addition to the grant. */
  small: number;
  lead: Lead;
  /** Shards that wait after this turn. */
  shards: number;
  after: ClaimRate;
}

/** The number of shards added before the dispatcher checks again and saves its cursor. */
export const ADDED_AT_ONCE = 256;
/** A dispatcher without a turn for this many seconds is dead, and its successor has its jobs. */
const GONE_SECONDS = 3;
/**
 * A shard of at most this many tokens takes only milliseconds, and workers claim it next. So it need not wait for room:
 * this many of them may be on the queue beyond the lead, and a share may get this many tokens ahead of its turn; beyond
 * that, its small jobs wait their turn like all others.
 */
const SMALL_TOKENS = 1024;
const SMALL_SHARDS = 4;
const MOST_AHEAD = 1024;
/** How often an unchanged ledger is written for the others, in seconds. */
const TELL_SECONDS = 0.5;
/** Until this much of the claim rate's averaging time is known, the queue is checked again after this many seconds. */
const MEASURED = 0.5;
const FIRST_PAUSE_SECONDS = 0.02;
/** As in the ledger: small compared with a shard. */
const QUANTUM = 1000;

/**
 * One dispatcher's part of the room on a model's queue, which its jobs share by deficit round robin with equal weights.
 * `plan` and `take` are one turn; in between, the ledger is replaced in the broker, and if another dispatcher was
 * faster, the turn is planned again. Pure: uses neither broker nor clock.
 */
export class Room<Job extends WaitingJob> {
  readonly #dispatcher: string;
  readonly #weightOf: (share: string) => number;
  readonly #mostShards: number;
  readonly #jobs = new Map<string, Job>();
  /** The jobs whose next shard is small. */
  readonly #small = new Set<Job>();
  /** By share and priority. */
  readonly #rounds = new Map<string, RoundRobin>();
  /** The round that a job is in. */
  readonly #flowOf = new Map<string, string>();
  #rate: ClaimRate | undefined;
  /** Tokens taken beyond the grants since the last turn. */
  #sent: ByFlow<number> = {};
  readonly #seen = new Map<string, { turns: number; at: number }>();
  #toldAt = -Infinity;
  /** The lead as of the last turn. */
  lead: Lead = { shards: 0, tokens: 0 };
  /**
   * Seconds until the waiting shards are claimed, at the pace since the previous turn; Infinity if unknown, or if
   * nothing is left to add.
   */
  lasts = Infinity;

  constructor(options: { dispatcher: string; weightOf: (share: string) => number; mostShards: number }) {
    this.#dispatcher = options.dispatcher;
    this.#weightOf = options.weightOf;
    this.#mostShards = options.mostShards;
  }

  get jobs(): number {
    return this.#jobs.size;
  }

  join(job: Job): void {
    this.#jobs.set(job.id, job);
    if (job.ready > 0 && job.size <= SMALL_TOKENS) this.#small.add(job);
  }

  leave(job: Job): void {
    this.#jobs.delete(job.id);
    this.#small.delete(job);
    this.#leaveFlow(job.id);
  }

  /** Plans a turn. `waiting`: unclaimed shards on the queue or on their way to it from here. */
  plan(ledger: RoomLedger, { waiting: shards, now }: { waiting: number; now: number }): PlannedTurn {
    const gone = this.#goneAt(ledger, now);
    const others = givenToOthers(ledger, this.#dispatcher, gone);
    const tokens = tokensOfLast(ledger, shards);
    const waiting = { shards: shards + others.shards, tokens: tokens + others.tokens };
    const look: QueueLook = { now, added: ledger.added, waiting };
    const { lead, after } = leadAfter(this.#rate, look, this.#mostShards);
    const most = Math.max(LEAST_WAITING, lead.shards) + SMALL_SHARDS;
    const small = Math.max(0, most - waiting.shards);
    const isGiven = entriesOf(ledger.dispatchers[this.#dispatcher]?.given ?? {}).length > 0;
    if (!hasRoom(waiting, lead) && !isGiven && gone.length === 0 && now - this.#toldAt < TELL_SECONDS)
      return {
        ledger,
        isToBeKept: false,
        isCut: false,
        granted: {},
        small,
        lead,
        shards: waiting.shards,
        after,
      };
    const turn = takeTurn(ledger, {
      dispatcher: this.#dispatcher,
      demands: this.#demands(),
      sent: this.#sent,
      gone,
      waiting,
      lead,
      atOnce: ADDED_AT_ONCE,
      weightOf: this.#weightOf,
    });
    const given = entriesOf(turn.granted).reduce((sum, [, , { shards: count }]) => sum + count, 0);
    return {
      ...turn,
      isToBeKept: true,
      small: Math.max(0, small - given),
      lead,
      shards: waiting.shards + given,
      after,
    };
  }

  /** Takes the turn: calls jobs' `take` for the granted shards, and returns these jobs without duplicates. */
  take(plan: PlannedTurn): Set<Job> {
    this.#rate = plan.after;
    this.lead = plan.lead;
    const taken = plan.isToBeKept ? this.#takeGranted(plan) : new Set<Job>();
    for (const job of this.#takeSmall(plan)) taken.add(job);
    const { pace } = plan.after;
    this.lasts = pace > 0 && this.#hasMore ? plan.shards / pace : Infinity;
    return taken;
  }

  /**
   * The seconds until this room's next turn: 0 if there may already be room for more, few while the workers' speed is
   * unknown, otherwise well before they have claimed the waiting shards.
   *
   * @param taken jobs that took shards in this turn
   * @param waiting shards on the queue before it
   */
  nextTurn(taken: ReadonlySet<Job>, waiting: number, isCut: boolean): number {
    if (taken.size > 0 && (waiting === 0 || isCut)) return 0;
    const isNew = this.#hasMore && (this.#rate?.measured ?? 1) < MEASURED;
    return Math.min(this.lasts / 2, isNew ? FIRST_PAUSE_SECONDS : Infinity);
  }

  get #hasMore(): boolean {
    for (const job of this.#jobs.values()) if (job.ready > 0) return true;
    return false;
  }

  #takeGranted({ granted, after }: PlannedTurn): Set<Job> {
    const taken = new Set<Job>();
    this.#toldAt = after.look.now;
    this.#sent = {};
    for (const [share, priority, { shards, tokens }] of entriesOf(granted)) {
      let left = tokens;
      const round = this.#rounds.get(flowKey(share, priority));
      for (let n = 0; n < shards && left > 0; n += 1) {
        const job = this.#nextOf(round);
        if (job === undefined || round === undefined) break;
        const { size } = job;
        round.charge(job.id, size);
        left -= size;
        job.take();
        taken.add(job);
      }
      if (left !== 0) (this.#sent[share] ??= {})[priority] = -left;
    }
    return taken;
  }

  /** Takes small shards ahead of their turn; their shares are charged for them in the next one. */
  #takeSmall({ ledger, small }: PlannedTurn): Set<Job> {
    const taken = new Set<Job>();
    let left = small;
    for (const job of this.#small) {
      if (left <= 0) break;
      const { id, share, priority, size } = job;
      if (job.ready === 0 || size > SMALL_TOKENS) {
        this.#small.delete(job);
        continue;
      }
      const sent = (this.#sent[share] ??= {});
      const owed = Object.values(sent).reduce((sum, tokens) => sum + tokens, 0);
      if (owed - (ledger.shares.deficits[share] ?? 0) + size > MOST_AHEAD) continue;
      left -= 1;
      sent[priority] = (sent[priority] ?? 0) + size;
      this.#rounds.get(this.#flowOf.get(id) ?? '')?.charge(id, size);
      job.take();
      taken.add(job);
    }
    return taken;
  }

  /** The ledger without this dispatcher; forgets what it knows about the others. */
  end(ledger: RoomLedger): RoomLedger {
    this.#rate = undefined;
    this.#sent = {};
    this.#seen.clear();
    this.#toldAt = -Infinity;
    return withoutDispatcher(ledger, this.#dispatcher);
  }

  #nextOf(round: RoundRobin | undefined): Job | undefined {
    const id = round?.peek({
      sizeOf: (one) => {
        const job = this.#jobs.get(one);
        return job === undefined || job.ready === 0 ? undefined : job.size;
      },
      weightOf: () => 1,
    });
    return id === undefined ? undefined : this.#jobs.get(id);
  }

  /** The demands here by share and priority; moves jobs whose priority changed to their new round. */
  #demands(): ByFlow<Demand> {
    const demands: ByFlow<Demand> = {};
    for (const job of this.#jobs.values()) {
      const { id, share, priority } = job;
      const flow = flowKey(share, priority);
      if (this.#flowOf.get(id) !== flow) {
        this.#leaveFlow(id);
        const round = this.#rounds.get(flow) ?? new RoundRobin(QUANTUM);
        round.join(id);
        this.#rounds.set(flow, round);
        this.#flowOf.set(id, flow);
      }
      const demand = ((demands[share] ??= {})[priority] ??= { jobs: 0, shards: 0, size: 1 });
      demand.jobs += 1;
      demand.shards += job.ready;
    }
    for (const [share, priority, demand] of entriesOf(demands)) {
      demand.size = this.#nextOf(this.#rounds.get(flowKey(share, priority)))?.size ?? 1;
    }
    return demands;
  }

  #leaveFlow(id: string): void {
    const flow = this.#flowOf.get(id);
    const round = flow === undefined ? undefined : this.#rounds.get(flow);
    round?.leave(id);
    this.#flowOf.delete(id);
    if (flow !== undefined && round?.flows.length === 0) this.#rounds.delete(flow);
  }

  #goneAt(ledger: RoomLedger, now: number): string[] {
    const gone: string[] = [];
    for (const [name, { turns }] of Object.entries(ledger.dispatchers)) {
      if (name === this.#dispatcher) continue;
      const seen = this.#seen.get(name);
      if (seen === undefined || seen.turns !== turns) this.#seen.set(name, { turns, at: now });
      else if (now - seen.at > GONE_SECONDS) gone.push(name);
    }
    return gone;
  }
}

const flowKey = (share: string, priority: Priority): string => `${priority}/${share}`;

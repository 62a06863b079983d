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
  /** Whose room it takes: its tenant's, or of the key that submitted it. */
  readonly share: string;
  readonly priority: Priority;
  /** Shards that it could add now. */
  readonly ready: number;
  /** Tokens of the next one, estimated; asked where some are ready. */
  readonly size: number;
  /** Takes the next one out of those that are ready. */
  take(): void;
}

/** A turn that was worked out and has not been taken: the ledger may be another's by now. */
export interface PlannedTurn {
  ledger: RoomLedger;
  /** Whether others should know of it; else the ledger stays as it is. */
  isToBeKept: boolean;
  /** Whether there was room for more than is added at once. */
  isCut: boolean;
  granted: ByFlow<Lead>;
  /** Small shards that may be taken beside what was granted. */
  small: number;
  lead: Lead;
  /** Shards that wait after it. */
  shards: number;
  after: ClaimRate;
}

/** So many shards are added before the dispatcher looks again, and saves how far it is. */
export const ADDED_AT_ONCE = 256;
/** A dispatcher whose turns have not gone on for so many seconds has died, and its successor has its jobs. */
const GONE_SECONDS = 3;
/**
 * A shard of so few tokens is done in some milliseconds, and workers take it next. So it need not wait for room: so many of
 * them may be on the queue beyond the lead, and a share may be so many tokens ahead of its turn by it; after that its small
 * jobs come in their turn as all do.
 */
const SMALL_TOKENS = 1024;
const SMALL_SHARDS = 4;
const MOST_AHEAD = 1024;
/** How often others are told, in seconds, where nothing has changed. */
const TELL_SECONDS = 0.5;
/** Until so much of the rate of claims is known, the queue is looked at again after so many seconds. */
const MEASURED = 0.5;
const FIRST_PAUSE_SECONDS = 0.02;
/** As in the ledger: small beside a shard. */
const QUANTUM = 1000;

/**
 * One dispatcher's part of the room on a model's queue, and how its jobs share it: by deficit round robin, each with
 * the same weight. `plan` and `take` are one turn; between them the ledger is exchanged in the broker, and where
 * another dispatcher was faster, the turn is planned again. Pure: it knows neither broker nor clock.
 */
export class Room<Job extends WaitingJob> {
  readonly #dispatcher: string;
  readonly #weightOf: (share: string) => number;
  readonly #mostShards: number;
  readonly #jobs = new Map<string, Job>();
  /** Those of them whose next shard is a small one. */
  readonly #small = new Set<Job>();
  /** By share and priority. */
  readonly #rounds = new Map<string, RoundRobin>();
  /** Which of them a job is in. */
  readonly #flowOf = new Map<string, string>();
  #rate: ClaimRate | undefined;
  /** Tokens taken beyond what was granted, since the last turn. */
  #sent: ByFlow<number> = {};
  readonly #seen = new Map<string, { turns: number; at: number }>();
  #toldAt = -Infinity;
  /** The lead as of the last turn. */
  lead: Lead = { shards: 0, tokens: 0 };
  /** Seconds until what waits has been claimed, at the pace since the turn before; Infinity where that cannot be told, or nothing is left to add. */
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

  /** Works out a turn. `waiting`: shards on the queue, or on their way to it from here, that nobody has claimed. */
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

  /** Takes the turn: calls `take` of jobs for what was granted, and gives them, each once. */
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
   * Seconds after which this room wants its next turn: none where there may be room for more already, few while it is
   * not known how fast workers are, else long before they have claimed what waits.
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

  /** Small shards ahead of their turn; their shares are charged for them in the next one. */
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

  /** The ledger without this dispatcher; what it knows of the others is forgotten. */
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

  /** What waits here, by share and priority; jobs that changed theirs are in another round from now on. */
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

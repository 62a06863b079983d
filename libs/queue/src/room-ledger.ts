/**
 * How dispatchers share the room on a model's queue. The broker holds one ledger as a text. Each dispatcher reads it,
 * computes its turn, and replaces it by compare-and-swap. So there is a single deficit round robin over the shares of
 * all dispatchers without a leader: each turn also grants room to dispatchers whose turn comes later.
 *
 * Room goes to the shares in turn, and within a share to its flows. A flow is all jobs of one dispatcher with the same
 * priority; the dispatcher distributes its room among the jobs (`Room`). Sizes here are those of each flow's next
 * shard; `sent` corrects for what a flow actually took.
 */
import { z } from 'zod';
import { PRIORITIES, readKept, type Priority } from '@embedmill/jobs';
import { LEAST_WAITING, type Lead } from './lead.ts';
import { NO_ROUND, RoundRobin, type Flows, type RoundState } from './round-robin.ts';

/** A flow's demand for room. */
export interface Demand {
  jobs: number;
  /** Shards that can be added now; a flow without any keeps its place. */
  shards: number;
  /** The next shard's size in tokens. */
  size: number;
}

/** Demands by share and priority. */
export type ByFlow<T> = Record<string, Partial<Record<Priority, T>>>;

const lead = z.strictObject({ shards: z.number(), tokens: z.number() });
const byFlow = <T extends z.ZodType>(of: T) => z.record(z.string(), z.partialRecord(z.enum(PRIORITIES), of));
const round = z.strictObject({
  order: z.array(z.string()),
  at: z.int(),
  visited: z.boolean(),
  deficits: z.record(z.string(), z.number()),
});
export const ledgerSchema = z.strictObject({
  added: lead,
  recent: z.array(z.tuple([z.number(), z.number()])),
  shares: round,
  flows: z.record(z.string(), round),
  dispatchers: z.record(
    z.string(),
    z.strictObject({
      turns: z.int(),
      demands: byFlow(z.strictObject({ jobs: z.number(), shards: z.number(), size: z.number() })),
      given: byFlow(lead),
    }),
  ),
});

export interface RoomLedger {
  /** The total room ever granted. */
  added: Lead;
  /** The latest grants, oldest first, as [shards, tokens]; the end of this list is what waits on the queue. */
  recent: [shards: number, tokens: number][];
  shares: RoundState;
  /** The round of each share. */
  flows: Record<string, RoundState>;
  dispatchers: Record<string, DispatcherEntry>;
}

export interface DispatcherEntry {
  /** Increases with each turn; a dispatcher whose number stands still is gone. */
  turns: number;
  demands: ByFlow<Demand>;
  /** Room granted by others' turns that it has not taken yet. */
  given: ByFlow<Lead>;
}

export const NO_LEDGER: RoomLedger = {
  added: { shards: 0, tokens: 0 },
  recent: [],
  shares: NO_ROUND,
  flows: {},
  dispatchers: {},
};

/** Parses the broker's ledger; empty if there is none, or if it has another version. */
export function parseLedger(text: string | null): RoomLedger {
  if (text === null) return NO_LEDGER;
  const parsed = readKept(ledgerSchema, JSON.parse(text));
  return parsed.success ? parsed.data : NO_LEDGER;
}

export interface Turn {
  dispatcher: string;
  demands: ByFlow<Demand>;
  /** Tokens that its flows took beyond what they were granted; negative if they left some. */
  sent: ByFlow<number>;
  /** Dispatchers that are gone; the room granted to them is free again. */
  gone: readonly string[];
  /** Unclaimed shards on the queue. */
  waiting: Lead;
  lead: Lead;
  /** The maximum number of shards that this dispatcher takes at once. */
  atOnce: number;
  weightOf: (share: string) => number;
}

/** The tokens that a flow may send per visit: few compared with a shard, so that small shards hardly wait. */
const QUANTUM = 1000;
/** The weight of each priority's jobs within their share, if all priorities have work. */
const PRIORITY_WEIGHTS: Readonly<Record<Priority, number>> = { urgent: 200, normal: 20, background: 1 };
/** The number of entries kept of the latest additions. */
const MOST_RECENT = 64;

/** Computes one dispatcher's turn: what it may add now, and the ledger afterwards. */
export function takeTurn(
  ledger: RoomLedger,
  turn: Turn,
): { ledger: RoomLedger; granted: ByFlow<Lead>; isCut: boolean } {
  const dispatchers: Record<string, DispatcherEntry> = {};
  for (const [name, { turns, demands, given }] of Object.entries(ledger.dispatchers)) {
    if (!turn.gone.includes(name))
      dispatchers[name] = { turns, demands: copyOf(demands), given: copyOf(given) };
  }
  const own = dispatchers[turn.dispatcher];
  const granted: ByFlow<Lead> = own?.given ?? {};
  const demands = copyOf(turn.demands);
  // Room that was granted meanwhile counts as already available.
  for (const [share, priority, given] of entriesOf(granted)) {
    const demand = demands[share]?.[priority];
    if (demand !== undefined) demand.shards = Math.max(0, demand.shards - given.shards);
  }
  dispatchers[turn.dispatcher] = { turns: (own?.turns ?? 0) + 1, demands, given: {} };

  const rounds = new Rounds(ledger, dispatchers, turn);
  const waiting = { ...turn.waiting };
  const added = { shards: 0, tokens: 0 };
  let ownLeft = turn.atOnce;
  for (;;) {
    if (!hasRoom(waiting, turn.lead)) break;
    const flow = rounds.next(ownLeft > 0);
    if (flow === undefined) break;
    const isOwn = flow.dispatcher === turn.dispatcher;
    const to = isOwn ? granted : (dispatchers[flow.dispatcher]?.given ?? {});
    addTo(to, flow, { shards: 1, tokens: flow.size });
    if (isOwn) ownLeft -= 1;
    for (const sum of [waiting, added]) {
      sum.shards += 1;
      sum.tokens += flow.size;
    }
  }
  return {
    ledger: {
      added: { shards: ledger.added.shards + added.shards, tokens: ledger.added.tokens + added.tokens },
      recent: recentOf(ledger.recent, added, waiting.shards),
      ...rounds.state,
      dispatchers,
    },
    granted,
    isCut: ownLeft <= 0,
  };
}

/** Whether workers may run out of shards before the next check. */
export function hasRoom(waiting: Lead, { shards, tokens }: Lead): boolean {
  return waiting.shards < LEAST_WAITING || (waiting.shards < shards && waiting.tokens < tokens);
}

/** The ledger without a dispatcher that has no more work for the model. */
export function withoutDispatcher(ledger: RoomLedger, dispatcher: string): RoomLedger {
  const dispatchers = { ...ledger.dispatchers };
  delete dispatchers[dispatcher];
  return { ...ledger, dispatchers };
}

/** Room granted to other dispatchers that they have not taken yet. */
export function givenToOthers(ledger: RoomLedger, dispatcher: string, gone: readonly string[]): Lead {
  const sum = { shards: 0, tokens: 0 };
  for (const [name, { given }] of Object.entries(ledger.dispatchers)) {
    if (name === dispatcher || gone.includes(name)) continue;
    for (const [, , { shards, tokens }] of entriesOf(given)) {
      sum.shards += shards;
      sum.tokens += tokens;
    }
  }
  return sum;
}

/** The tokens of this many waiting shards: workers take the oldest first, so the waiting ones are those added last. */
export function tokensOfLast({ recent }: Pick<RoomLedger, 'recent'>, shards: number): number {
  let left = shards;
  let tokens = 0;
  for (const [count, of] of recent.toReversed()) {
    if (left <= 0) break;
    tokens += of * Math.min(1, left / count);
    left -= count;
  }
  return tokens;
}

export function entriesOf<T>(by: ByFlow<T>): [share: string, priority: Priority, value: T][] {
  return Object.entries(by).flatMap(([share, priorities]) =>
    PRIORITIES.flatMap((priority) => {
      const value = priorities[priority];
      return value === undefined ? [] : [[share, priority, value] as [string, Priority, T]];
    }),
  );
}

interface NextFlow {
  share: string;
  priority: Priority;
  dispatcher: string;
  size: number;
}

/** One share's part of a turn: its flows, and which of them is next. */
interface ShareRound {
  round: RoundRobin;
  flows: Map<string, { dispatcher: string; priority: Priority; weight: number; demand: Demand }>;
  asked: Flows;
}

/** The round over the shares, and within each share over its flows. */
class Rounds {
  readonly #shares: RoundRobin;
  readonly #byName = new Map<string, ShareRound>();
  readonly #asked: Flows;
  /** Whether flows of the current dispatcher may get room. */
  #mayBeOwn = true;

  constructor(ledger: RoomLedger, dispatchers: Record<string, DispatcherEntry>, turn: Turn) {
    this.#shares = new RoundRobin(QUANTUM, ledger.shares);
    /** A share's jobs with the same priority, of all dispatchers. */
    const jobs: ByFlow<number> = {};
    for (const { demands } of Object.values(dispatchers))
      for (const [share, priority, demand] of entriesOf(demands)) {
        const of = (jobs[share] ??= {});
        of[priority] = (of[priority] ?? 0) + demand.jobs;
      }
    for (const [dispatcher, { demands }] of Object.entries(dispatchers))
      for (const [share, priority, demand] of entriesOf(demands)) {
        const { flows } = this.#of(share, ledger, turn.dispatcher);
        const part = demand.jobs / Math.max(1, jobs[share]?.[priority] ?? 1);
        const weight = PRIORITY_WEIGHTS[priority] * Math.max(1e-6, part);
        flows.set(`${priority}/${dispatcher}`, { dispatcher, priority, weight, demand });
      }
    follow(this.#shares, [...this.#byName.keys()]);
    for (const { round, flows } of this.#byName.values()) follow(round, [...flows.keys()]);
    for (const [share, priority, tokens] of entriesOf(turn.sent)) {
      this.#shares.charge(share, tokens);
      this.#byName.get(share)?.round.charge(`${priority}/${turn.dispatcher}`, tokens);
    }
    this.#asked = {
      sizeOf: (name) => {
        const share = this.#byName.get(name);
        const flow = share?.round.peek(share.asked);
        return flow === undefined ? undefined : share?.flows.get(flow)?.demand.size;
      },
      weightOf: turn.weightOf,
    };
  }

  get state(): Pick<RoomLedger, 'shares' | 'flows'> {
    const flows = Object.fromEntries([...this.#byName].map(([share, { round }]) => [share, round.state]));
    return { shares: this.#shares.state, flows };
  }

  /** Grants room to the next flow; undefined if none has a shard to add. */
  next(mayBeOwn: boolean): NextFlow | undefined {
    this.#mayBeOwn = mayBeOwn;
    const name = this.#shares.peek(this.#asked);
    const share = name === undefined ? undefined : this.#byName.get(name);
    const flow = share?.round.peek(share.asked);
    const next = flow === undefined ? undefined : share?.flows.get(flow);
    if (name === undefined || share === undefined || flow === undefined || next === undefined)
      return undefined;
    const { demand, priority, dispatcher } = next;
    demand.shards -= 1;
    this.#shares.charge(name, demand.size);
    share.round.charge(flow, demand.size);
    return { share: name, priority, dispatcher, size: demand.size };
  }

  #of(name: string, ledger: RoomLedger, own: string): ShareRound {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const flows: ShareRound['flows'] = new Map();
    const asked: Flows = {
      sizeOf: (flow) => {
        const one = flows.get(flow);
        if (one === undefined || one.demand.shards <= 0) return undefined;
        return this.#mayBeOwn || one.dispatcher !== own ? one.demand.size : undefined;
      },
      weightOf: (flow) => flows.get(flow)?.weight ?? 1,
    };
    const share = { round: new RoundRobin(QUANTUM, ledger.flows[name]), flows, asked };
    this.#byName.set(name, share);
    return share;
  }
}

/** Adds new flows, and removes those that are gone. */
function follow(round: RoundRobin, present: readonly string[]): void {
  const staying = new Set(present);
  for (const flow of [...round.flows]) if (!staying.has(flow)) round.leave(flow);
  for (const flow of present) round.join(flow);
}

function copyOf<T extends object>(by: ByFlow<T>): ByFlow<T> {
  const copy: ByFlow<T> = {};
  for (const [share, priority, value] of entriesOf(by)) (copy[share] ??= {})[priority] = { ...value };
  return copy;
}

function addTo(by: ByFlow<Lead>, { share, priority }: NextFlow, { shards, tokens }: Lead): void {
  const priorities = (by[share] ??= {});
  const before = priorities[priority] ?? { shards: 0, tokens: 0 };
  priorities[priority] = { shards: before.shards + shards, tokens: before.tokens + tokens };
}

/** The latest additions, as far back as the waiting shards reach. */
function recentOf(recent: RoomLedger['recent'], added: Lead, waiting: number): RoomLedger['recent'] {
  const all: RoomLedger['recent'] = added.shards === 0 ? recent : [...recent, [added.shards, added.tokens]];
  let covered = 0;
  let first = all.length;
  while (first > 0 && covered < waiting) {
    first -= 1;
    covered += all[first]?.[0] ?? 0;
  }
  const kept = all.slice(first);
  while (kept.length > MOST_RECENT) {
    const [[shards, tokens] = [0, 0], [more, ofMore] = [0, 0]] = kept.splice(0, 2);
    kept.unshift([shards + more, tokens + ofMore]);
  }
  return kept;
}

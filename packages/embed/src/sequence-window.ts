import { planBatches, type Batch, type Budget, type Lane, type WindowItem } from '@embedmill/batching';
import type { EngineOutput, TokenVectorForm } from '@embedmill/inference';
import type { EmbedmillError, SparseVector, TokenVectors } from '@embedmill/jobs';
import { logFields, type LogFields } from '@embedmill/logs';

/** The requested outputs of a model for one sequence. May be shared with equal sequences, so do not modify it. */
export interface Embedding {
  /** Empty if `dense` was not requested. */
  vector: Float32Array;
  /** One weight per token. */
  attention?: Float32Array | undefined;
  /** Tokens × dims. */
  states?: Float32Array | undefined;
  /** One weight per token. */
  lexical?: Float32Array | undefined;
  /** Instead of `states`, if a form for them was given. */
  tokenVectors?: TokenVectors | undefined;
  sparse?: SparseVector | undefined;
  score?: number | undefined;
}

/** The outcome of one sequence. */
export type Outcome = ({ ok: true } & Embedding) | { ok: false; error: EmbedmillError };

/** The input of the encoder for a sequence. */
export interface Sequence {
  readonly ids: Int32Array;
  /** The text of the ids, for engines that need it. */
  readonly text?: string | undefined;
  /** For a pair: the tokens of its first part. */
  readonly firstPart?: number | undefined;
  /** The model's adapter to run it with, if there are several; all sequences of a batch share one. */
  readonly adapter?: number | undefined;
  /** How to store its `states`. */
  readonly tokenVectors?: TokenVectorForm | undefined;
  /** Whether its vectors stay unnormalised. */
  readonly raw?: boolean | undefined;
  /** For an image, of which its ids are a digest. */
  readonly pixels?: Uint8Array | undefined;
}

/** A sequence in the encoder. */
export interface Entry extends WindowItem, Sequence {
  /** The requested outputs; the model's first output by default. */
  readonly outputs: readonly EngineOutput[] | undefined;
  readonly outcome: Promise<Outcome>;
  readonly settle: (outcome: Outcome) => void;
  /** Its owner; for equal sequences, the first owner. */
  readonly owner: LogFields;
  /** For a query: the tokens of all sequences requested together with it. */
  readonly together: number;
  /** How often it failed when nothing else could be the cause. */
  failures: number;
}

/** The tokens of one question, or a few. */
const SMALL_TOKENS = 512;
/** How long small queries may overtake a large one. */
const PATIENCE_MS = 1000;

/**
 * The accepted, unsettled sequences of both lanes.
 *
 * An entry is either waiting (just arrived, or in the plan) or taken (an engine has it). The plan divides what waited when it
 * was made into batches, and is made again once a quarter as much has arrived, which is cheap compared to a batch's run.
 * Equal bulk sequences are one entry, computed once, while it is unsettled. Used only by the encoder.
 */
export class SequenceWindow {
  readonly #tokens: Record<Lane, number> = { bulk: 0, interactive: 0 };
  readonly #arrived: Record<Lane, Entry[]> = { bulk: [], interactive: [] };
  readonly #known = new Map<string, Entry>();
  #plan: Batch<Entry>[] = [];
  #planned = 0;

  /** The tokens of a lane's unsettled entries, waiting or taken. */
  tokens(lane: Lane): number {
    return this.#tokens[lane];
  }

  isWaiting(lane: Lane): boolean {
    return this.#arrived[lane].length > 0 || (lane === 'bulk' && this.#plan.length > 0);
  }

  /** The entry of a sequence: a new one, or the existing one of an equal sequence. */
  admit(sequence: Sequence, outputs: Entry['outputs'], lane: Lane, now: number, together = 0): Entry {
    const { ids } = sequence;
    const key = lane === 'bulk' ? keyOf(sequence, outputs) : undefined;
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return known;

    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const settle = (outcome: Outcome) => {
      this.#tokens[lane] -= ids.length;
      if (key !== undefined) this.#known.delete(key);
      resolve(outcome);
    };
    const entry: Entry = {
      ...sequence,
      outputs,
      length: ids.length,
      lane,
      enqueuedAt: now,
      outcome: promise,
      settle,
      owner: logFields(),
      together,
      failures: 0,
    };
    this.#tokens[lane] += ids.length;
    if (key !== undefined) this.#known.set(key, entry);
    this.#arrived[lane].push(entry);
    return entry;
  }

  /** The next batch of a lane; undefined if nothing waits. */
  take(lane: Lane, budget: Budget, now: number): readonly Entry[] | undefined {
    if (lane === 'interactive') return this.#takeInteractive(budget, now);
    if (this.#arrived.bulk.length * 4 > this.#planned) this.replan(budget, now);
    const batch = this.#plan.shift();
    this.#planned -= batch?.items.length ?? 0;
    return batch?.items;
  }

  /**
   * A single question goes before other clients' hundreds of texts, each batch of which takes a tenth of a second:
   * small queries first, unless a large one has waited for long.
   */
  #takeInteractive(budget: Budget, now: number): readonly Entry[] | undefined {
    const waiting = this.#arrived.interactive;
    const isOverdue = waiting.some(({ enqueuedAt }) => now - enqueuedAt > PATIENCE_MS);
    const small = isOverdue ? [] : waiting.filter(({ together }) => together <= SMALL_TOKENS);
    const candidates = small.length > 0 ? small : waiting;
    const [first, ...later] = plannedByAdapter(candidates, budget, now);
    const left = candidates === small ? waiting.filter(({ together }) => together > SMALL_TOKENS) : [];
    this.#arrived.interactive = [...left, ...later.flatMap(({ items }) => items)];
    return first?.items;
  }

  /** Takes everything that waits in both lanes. */
  drain(): Entry[] {
    const waiting = [
      ...this.#plan.splice(0).flatMap(({ items }) => items),
      ...this.#arrived.bulk.splice(0),
      ...this.#arrived.interactive.splice(0),
    ];
    this.#planned = 0;
    return waiting;
  }

  /** Plans everything that waits in the bulk lane again, for example after the budget changed. */
  replan(budget: Budget, now: number): void {
    const waiting = [...this.#plan.flatMap(({ items }) => items), ...this.#arrived.bulk.splice(0)];
    this.#plan = plannedByAdapter(waiting, budget, now);
    this.#planned = waiting.length;
  }
}

/** Batches with one adapter each, the longest-waiting first, because a run uses one adapter for all sequences. */
function plannedByAdapter(waiting: readonly Entry[], budget: Budget, now: number): Batch<Entry>[] {
  const isOne = waiting.every(({ adapter }) => adapter === waiting[0]?.adapter);
  if (isOne) return planBatches(waiting, budget, now);
  const oldest = (entries: readonly Entry[]) =>
    entries.reduce((least, { enqueuedAt }) => Math.min(least, enqueuedAt), Infinity);
  return [...Map.groupBy(waiting, ({ adapter }) => adapter).values()]
    .toSorted((a, b) => oldest(a) - oldest(b))
    .flatMap((entries) => planBatches(entries, budget, now));
}

/** A key of the ids' bytes, one per character, and the requested outputs. */
function keyOf({ ids, adapter, tokenVectors, raw = false }: Sequence, outputs: Entry['outputs']): string {
  const bytes = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('latin1');
  const form = tokenVectors === undefined ? '' : JSON.stringify(tokenVectors);
  return bytes + (outputs?.join() ?? '') + (adapter ?? '') + form + (raw ? 'raw' : '');
}

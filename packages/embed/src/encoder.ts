/**
 * Turns token sequences into vectors. The chunks of all shards in progress meet here and share batches.
 *
 * Modes: open → closing (accepts nothing new; finishes accepted sequences, or drops those that still wait) → closed.
 *
 * Invariants:
 * - Every accepted sequence gets exactly one outcome, although engines may die at any time.
 * - The window is bounded in tokens: `encode` of the bulk lane waits, first come first served, while it is full;
 *   the interactive lane has its own bound and rejects with `overloaded` beyond it. A call that finds its lane empty is
 *   always accepted, whatever its size.
 * - An engine has at most as many batches as its capacity, so that the next one is ready when one ends. If these are bulk
 *   batches, it may have one more interactive batch, which it runs next.
 * - A batch that may not have caused its failure (its engine died with others in flight) is run again, whole and alone. A
 *   batch that caused its failure is bisected, and the halves run alone. A single sequence fails after it caused three
 *   failures. So neither a killed engine nor a bad neighbour fails a document.
 * - Running out of memory halves the area of all later batches of this encoder, down to a sixteenth.
 *
 * Called by a worker's pipeline (bulk) and query lane (interactive), one for each model that it serves; and by `Embedder`.
 */
import type { Budget, Lane } from '@embedmill/batching';
import type { Engine, EngineOutput } from '@embedmill/inference';
import { asEmbedmillError, EmbedmillError } from '@embedmill/jobs';
import { shardsOf, tokensByShard, type BatchFailure, type EncoderHooks } from './batch-report.ts';
import { outcomesOf, packedBatch } from './engine-batch.ts';
import { SequenceWindow, type Entry, type Outcome, type Sequence } from './sequence-window.ts';

export type { BatchFailure, BatchReport, EncoderHooks } from './batch-report.ts';
export type { Embedding, Outcome, Sequence } from './sequence-window.ts';

/** The best values for the bundled static int8 model on two CPU cores; a calibration overrides them. */
export const DEFAULT_BUDGET: Budget = { area: 512, launchCost: 10, maxItems: 256, deadlineMs: 5000 };

export interface EncoderOptions {
  /** One engine per device, all with the same model; the encoder closes them when it is closed. */
  engines: readonly Engine[];
  /** Overrides of `DEFAULT_BUDGET`. */
  budget?: { [Part in keyof Budget]?: Budget[Part] | undefined };
  /** The most bulk tokens in the encoder; by default 16 batches' worth, but at least 65,536. */
  windowTokens?: number;
  /** The most interactive tokens in the encoder; 65,536 by default. */
  interactiveTokens?: number;
  hooks?: EncoderHooks;
}

/** The most sequences of a shard that may overtake others, and the most of the window that they take. */
const SMALL_SEQUENCES = 8;
const SMALL_PART = 16;

/** A batch for an engine, sorted by length; `alone`: nothing else is in flight, so that a failure is its own. */
interface Run {
  readonly entries: readonly Entry[];
  readonly lane: Lane;
  readonly alone: boolean;
}

/** An engine and its batches in flight. */
interface Seat {
  readonly engine: Engine;
  readonly running: Set<Run>;
}

/** One more than bad luck, such as an engine killed twice from outside, is likely to cause. */
const BLAMES_TO_FAIL = 3;
const SMALLEST_AREA = 1 / 16;

export class Encoder {
  readonly #window = new SequenceWindow();
  readonly #seats: readonly Seat[];
  readonly #options: EncoderOptions;
  readonly #smallestArea: number;
  readonly #calls = new Set<Promise<unknown>>();
  /** Failed runs to retry, each alone. */
  readonly #again: Run[] = [];
  #budget: Budget;
  #turn: Promise<void> = Promise.resolve();
  #room: (() => void) | undefined;
  #pumpScheduled = false;
  #batches = 0;
  #closing: Promise<void> | undefined;
  #abandoned = false;

  constructor(options: EncoderOptions) {
    this.#options = options;
    this.#seats = options.engines.map((engine) => ({ engine, running: new Set() }));
    this.#budget = budgetOf(options.budget ?? {});
    this.#smallestArea = Math.ceil(this.#budget.area * SMALLEST_AREA);
  }

  /** The size of a vector. */
  get dims(): number {
    return this.#options.engines[0]?.dims ?? 0;
  }

  /** The outputs that it can give for a sequence. */
  get outputs(): readonly EngineOutput[] {
    return this.#options.engines[0]?.outputs ?? [];
  }

  /** The largest batch, in padded tokens; smaller than configured after memory ran out. */
  get area(): number {
    return this.#budget.area;
  }

  /**
   * The outcome of each sequence in order, with the requested ones of the engines' `outputs`. Sequences are token ids
   * including special tokens, without padding; they must not be modified meanwhile.
   *
   * Rejects for all sequences together: `overloaded` (interactive lane; nothing was run), `model_unavailable` or
   * `model_corrupt` (there is no usable engine), `no_worker` (closing). Once the signal aborts, a bulk call adds
   * nothing more to the window, and rejects with its reason.
   */
  async encode(
    sequences: readonly Sequence[],
    lane: Lane,
    outputs?: readonly EngineOutput[],
    signal?: AbortSignal,
  ): Promise<Outcome[]> {
    if (this.#closing !== undefined) throw closing();
    const call =
      lane === 'bulk'
        ? this.#encodeBulk(sequences, outputs, signal)
        : this.#encodeInteractive(sequences, outputs);
    this.#calls.add(call);
    try {
      const outcomes = await call;
      for (const outcome of outcomes) if (!outcome.ok && lacksModel(outcome.error)) throw outcome.error;
      return outcomes;
    } finally {
      this.#calls.delete(call);
    }
  }

  /** Finishes accepted sequences, then closes the engines. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#calls).then(async () => {
      await Promise.all(this.#options.engines.map((engine) => engine.close()));
    });
    return this.#closing;
  }

  /** Like `close`, but drops sequences that no engine has yet: they fail with `no_worker`. */
  abandon(): Promise<void> {
    this.#abandoned = true;
    const closed = this.close();
    const waiting = [...this.#window.drain(), ...this.#again.splice(0).flatMap(({ entries }) => entries)];
    for (const entry of waiting) entry.settle({ ok: false, error: closing() });
    this.#room?.();
    return closed;
  }

  async #encodeBulk(
    sequences: readonly Sequence[],
    outputs: Entry['outputs'],
    signal: AbortSignal | undefined,
  ): Promise<Outcome[]> {
    const { windowTokens = Math.max(16 * this.#budget.area, 65_536) } = this.#options;
    if (isSmall(sequences, windowTokens)) {
      // Batched with everything that waits, but run first, so that a small job does not wait for the window of large ones.
      const overdue = performance.now() - this.#budget.deadlineMs;
      return Promise.all(sequences.map((sequence) => this.#admit(sequence, outputs, 'bulk', overdue)));
    }
    const before = this.#turn;
    const { promise, resolve: endTurn } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    const outcomes: Promise<Outcome>[] = [];
    try {
      for (const sequence of sequences) {
        await this.#roomFor(sequence, windowTokens);
        signal?.throwIfAborted();
        outcomes.push(this.#admit(sequence, outputs, 'bulk'));
      }
    } finally {
      endTurn();
    }
    return Promise.all(outcomes);
  }

  async #roomFor({ ids }: Sequence, windowTokens: number): Promise<void> {
    for (;;) {
      if (this.#abandoned) throw closing();
      const taken = this.#window.tokens('bulk');
      if (taken === 0 || taken + ids.length <= windowTokens) return;
      this.#schedulePump();
      await new Promise<void>((resolve) => (this.#room = resolve));
    }
  }

  async #encodeInteractive(sequences: readonly Sequence[], outputs: Entry['outputs']): Promise<Outcome[]> {
    const { interactiveTokens = 65_536 } = this.#options;
    const taken = this.#window.tokens('interactive');
    const more = sequences.reduce((sum, { ids }) => sum + ids.length, 0);
    if (taken > 0 && taken + more > interactiveTokens) {
      const message = `${taken} tokens of queries are already waiting, and at most ${interactiveTokens} may; try again shortly`;
      throw new EmbedmillError('overloaded', message, { retryAfter: 1 });
    }
    const since = performance.now();
    return Promise.all(
      sequences.map((sequence) => this.#admit(sequence, outputs, 'interactive', since, more)),
    );
  }

  #admit(
    sequence: Sequence,
    outputs: Entry['outputs'],
    lane: Lane,
    since = performance.now(),
    together?: number,
  ): Promise<Outcome> {
    if (sequence.ids.length === 0) {
      const error = new EmbedmillError('empty_text', 'there are no tokens to embed');
      return Promise.resolve({ ok: false, error });
    }
    this.#schedulePump();
    return this.#window.admit(sequence, outputs, lane, since, together).outcome;
  }

  /** Deferred, so that sequences that arrive in the same turn of the event loop share the batches. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** Gives the engines as many batches as they can take, the idlest first, one batch each at a time. */
  #pump(): void {
    for (let launched = true; launched;) {
      launched = false;
      for (const seat of this.#seats.toSorted((a, b) => a.running.size - b.running.size)) {
        const run = this.#next(seat);
        if (run === undefined) continue;
        launched = true;
        void this.#launch(seat, run);
      }
    }
  }

  #next({ engine, running }: Seat): Run | undefined {
    const runs = [...running];
    if (runs.some(({ alone }) => alone)) return undefined;
    // Once something waits to run alone, the engine must become idle first.
    if (this.#again.length > 0 && runs.length > 0) return undefined;
    const isFree = runs.length < engine.capacity;
    if (isFree || !runs.some(({ lane }) => lane === 'interactive')) {
      const entries = this.#window.take('interactive', this.#budget, performance.now());
      if (entries !== undefined) return { entries, lane: 'interactive', alone: false };
    }
    const again = this.#again.shift();
    if (again !== undefined) return again;
    if (runs.filter(({ lane }) => lane === 'bulk').length >= engine.capacity) return undefined;
    const entries = this.#window.take('bulk', this.#budget, performance.now());
    return entries && { entries, lane: 'bulk', alone: false };
  }

  async #launch({ engine, running }: Seat, run: Run): Promise<void> {
    running.add(run);
    const number = ++this.#batches;
    const batch = packedBatch(run.entries, run.lane);
    try {
      const result = await engine.run(batch);
      const outcomes = outcomesOf(result, batch, engine.dims);
      for (const entry of run.entries) {
        const { value } = outcomes.next();
        if (value !== undefined) entry.settle(value);
      }
      const items = run.entries.length;
      const paddedTokens = items * (run.entries.at(-1)?.length ?? 0);
      this.#options.hooks?.onBatch?.({
        batch: number,
        lane: run.lane,
        items,
        tokens: batch.ids.length,
        paddedTokens,
        seconds: result.seconds,
        tokensByShard: tokensByShard(run.entries),
      });
    } catch (thrown) {
      const error = asEmbedmillError(thrown, 'engine_failed');
      const next = this.#failed(run, error);
      const { lane, entries } = run;
      const shards = shardsOf(entries);
      this.#options.hooks?.onBatchFailed?.({
        batch: number,
        lane,
        items: entries.length,
        error,
        shards,
        next,
      });
    } finally {
      running.delete(run);
      this.#room?.();
      this.#pump();
    }
  }

  #failed(run: Run, error: EmbedmillError): BatchFailure['next'] {
    if (lacksModel(error) || this.#abandoned) {
      for (const entry of run.entries) entry.settle({ ok: false, error });
      return 'failed';
    }
    if (error.code === 'out_of_memory') this.#shrink(run);
    if (!run.alone && !isOwnFault(error)) {
      this.#retry(run.lane, run.entries);
      return 'whole';
    }
    const [entry, ...others] = run.entries;
    if (entry === undefined) return 'failed';
    if (others.length > 0) {
      const middle = Math.ceil(run.entries.length / 2);
      this.#retry(run.lane, run.entries.slice(0, middle), run.entries.slice(middle));
      return 'halves';
    }
    entry.failures += 1;
    if (entry.failures >= BLAMES_TO_FAIL) {
      entry.settle({ ok: false, error });
      return 'failed';
    }
    this.#retry(run.lane, run.entries);
    return 'whole';
  }

  #retry(lane: Lane, ...batches: (readonly Entry[])[]): void {
    const runs = batches.map((entries): Run => ({ entries, lane, alone: true }));
    if (lane === 'interactive') this.#again.unshift(...runs);
    else this.#again.push(...runs);
  }

  #shrink({ entries }: Run): void {
    const failed = entries.length * (entries.at(-1)?.length ?? 0);
    const half = Math.max(this.#smallestArea, Math.floor(failed / 2));
    if (half >= this.#budget.area) return;
    this.#budget = { ...this.#budget, area: half };
    this.#window.replan(this.#budget, performance.now());
  }
}

function closing(): EmbedmillError {
  return new EmbedmillError('no_worker', 'the encoder is closing; try another worker');
}

function budgetOf(given: NonNullable<EncoderOptions['budget']>): Budget {
  const {
    area = DEFAULT_BUDGET.area,
    launchCost = DEFAULT_BUDGET.launchCost,
    maxItems = DEFAULT_BUDGET.maxItems,
    deadlineMs = DEFAULT_BUDGET.deadlineMs,
  } = given;
  return { area, launchCost, maxItems, deadlineMs };
}

/** Whether the sequences are so few that letting them overtake costs others almost nothing and keeps the window bounded. */
function isSmall(sequences: readonly Sequence[], windowTokens: number): boolean {
  if (sequences.length > SMALL_SEQUENCES) return false;
  const tokens = sequences.reduce((sum, { ids }) => sum + ids.length, 0);
  return tokens <= windowTokens / SMALL_PART;
}

/** Whether the error was caused by this batch: the engine responded and is alive. */
function isOwnFault({ code }: EmbedmillError): boolean {
  return code === 'engine_failed' || code === 'out_of_memory';
}

function lacksModel({ code }: EmbedmillError): boolean {
  return code === 'model_unavailable' || code === 'model_corrupt';
}

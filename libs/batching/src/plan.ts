/** `interactive`: a query that someone is waiting for; `bulk`: everything else. */
export type Lane = 'bulk' | 'interactive';

/** What the planner needs to know about a token sequence; callers may add fields of their own. */
export interface WindowItem {
  /** Tokens, special tokens included; at least 1. */
  readonly length: number;
  readonly lane: Lane;
  /** When it began to wait, in ms, on the same clock as `now`. */
  readonly enqueuedAt: number;
}

/** What a device can process in one run, and what a run costs. */
export interface Budget {
  /** The maximum number of padded tokens in a batch (items × longest). A longer item runs alone. */
  readonly area: number;
  /** The fixed cost of a run, as the number of padded tokens that take the same time. */
  readonly launchCost: number;
  /** The maximum number of items in a batch. */
  readonly maxItems: number;
  /** How long a bulk item may be deferred for better batches, in ms. */
  readonly deadlineMs: number;
}

export interface Batch<Item extends WindowItem = WindowItem> {
  readonly lane: Lane;
  /** In ascending order of length. */
  readonly items: readonly Item[];
  /** The length of the longest item, to which the others are padded. */
  readonly longest: number;
  /** Tokens without padding. */
  readonly tokens: number;
}

/**
 * Cuts a window of sequences into batches and returns them in execution order. Each item is in exactly one batch.
 *
 * The items of a lane are sorted by true length and cut so that the total of items × longest + launchCost over all
 * batches is minimal. Filling each batch to the brim would make the fewest batches, so a cut with a lower total cost
 * also has less padding.
 *
 * Order: the interactive lane first, oldest first; then bulk batches that hold an item past its deadline, oldest first;
 * then the other bulk batches, lowest cost per real token first. A sequence of unusual length therefore waits for
 * others of similar length, but never beyond its deadline.
 *
 * Pure. O(n log n + n·k) for n items, where k is the number of items that fit into one batch.
 */
export function planBatches<Item extends WindowItem>(
  window: readonly Item[],
  budget: Budget,
  now: number,
): Batch<Item>[] {
  const interactive = window.filter((item) => item.lane === 'interactive');
  const bulk = window.filter((item) => item.lane === 'bulk');
  const overdueSince = now - budget.deadlineMs;

  const ranked = cut(bulk, budget).map((batch) => ({ batch, oldest: oldestOf(batch) }));
  const overdue = ranked.filter(({ oldest }) => oldest <= overdueSince);
  const timely = ranked.filter(({ oldest }) => oldest > overdueSince);
  return [
    ...cut(interactive, budget).sort((a, b) => oldestOf(a) - oldestOf(b)),
    ...overdue.sort((a, b) => a.oldest - b.oldest).map(({ batch }) => batch),
    ...timely
      .map(({ batch }) => batch)
      .sort((a, b) => costOf(a, budget) / a.tokens - costOf(b, budget) / b.tokens),
  ];
}

/** The cost of running a batch, in padded tokens. */
export function costOf(batch: Batch, budget: Pick<Budget, 'launchCost'>): number {
  return batch.items.length * batch.longest + budget.launchCost;
}

/**
 * The cheapest cut of the items sorted by length, by dynamic programming over the end of the last batch: best[i] = the
 * minimum, over all starts s that the budget allows, of best[s] + (i − s)·length[i − 1] + launchCost.
 */
function cut<Item extends WindowItem>(items: readonly Item[], budget: Budget): Batch<Item>[] {
  const sorted = items.toSorted((a, b) => a.length - b.length || a.enqueuedAt - b.enqueuedAt);
  const best = new Float64Array(sorted.length + 1);
  const startOf = new Int32Array(sorted.length + 1);
  for (const [index, { length }] of sorted.entries()) {
    const end = index + 1;
    const most = Math.max(1, Math.min(end, budget.maxItems, Math.floor(budget.area / length)));
    let cheapest = Infinity;
    for (let start = end - 1; start >= end - most; start -= 1) {
      const cost = (best[start] ?? 0) + (end - start) * length;
      if (cost < cheapest) {
        cheapest = cost;
        startOf[end] = start;
      }
    }
    best[end] = cheapest + budget.launchCost;
  }

  const batches: Batch<Item>[] = [];
  for (let end = sorted.length; end > 0; end = startOf[end] ?? 0) {
    batches.push(batchOf(sorted.slice(startOf[end], end)));
  }
  return batches.reverse();
}

/** A batch of items in order of length. */
function batchOf<Item extends WindowItem>(items: readonly Item[]): Batch<Item> {
  return {
    lane: items[0]?.lane ?? 'bulk',
    items,
    longest: items.at(-1)?.length ?? 0,
    tokens: items.reduce((sum, item) => sum + item.length, 0),
  };
}

function oldestOf(batch: Batch): number {
  return batch.items.reduce((oldest, item) => Math.min(oldest, item.enqueuedAt), Infinity);
}

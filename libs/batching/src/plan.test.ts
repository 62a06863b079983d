import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costOf, planBatches, type Budget, type Lane, type WindowItem } from './plan.ts';

interface Item extends WindowItem {
  key: number;
}

const lane = fc.constantFrom<Lane>('bulk', 'bulk', 'bulk', 'interactive');
const heavyTailed = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 60 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2000 }) },
);
const windowOf = (lanes: fc.Arbitrary<Lane>) =>
  fc
    .array(fc.record({ length: heavyTailed, lane: lanes, enqueuedAt: fc.integer({ min: 0, max: 20_000 }) }), {
      maxLength: 120,
    })
    .map((items) => items.map((item, key): Item => ({ ...item, key })));
const budget: fc.Arbitrary<Budget> = fc.record({
  area: fc.integer({ min: 1, max: 2048 }),
  launchCost: fc.integer({ min: 0, max: 300 }),
  maxItems: fc.integer({ min: 1, max: 64 }),
  deadlineMs: fc.integer({ min: 0, max: 10_000 }),
});
const clock = fc.integer({ min: 0, max: 30_000 });

const BUDGET: Budget = { area: 512, launchCost: 10, maxItems: 256, deadlineMs: 1000 };
const item = (key: number, length: number, rest: Partial<WindowItem> = {}): Item => ({
  key,
  length,
  lane: 'bulk',
  enqueuedAt: 0,
  ...rest,
});

/** A simpler planner: fills one batch after another to the brim, in this order. */
function greedyPadded(lengths: number[], { area, maxItems }: Budget): number {
  let padded = 0;
  let count = 0;
  let longest = 0;
  for (const length of lengths) {
    const grown = Math.max(longest, length);
    if (count > 0 && ((count + 1) * grown > area || count === maxItems)) {
      padded += count * longest;
      count = 0;
      longest = 0;
    }
    count += 1;
    longest = Math.max(longest, length);
  }
  return padded + count * longest;
}

/** The cheapest cut of sorted lengths, found by trying every one. */
function cheapestByTrying(lengths: number[], b: Budget): number {
  if (lengths.length === 0) return 0;
  let best = Infinity;
  for (let n = 1; n <= lengths.length; n += 1) {
    const area = n * lengths[n - 1]!;
    if (n > 1 && (area > b.area || n > b.maxItems)) break;
    best = Math.min(best, area + b.launchCost + cheapestByTrying(lengths.slice(n), b));
  }
  return best;
}

describe('planBatches', () => {
  it('puts every item in exactly one batch, and says truly what is in it', () => {
    fc.assert(
      fc.property(windowOf(lane), budget, clock, (window, b, now) => {
        const batches = planBatches(window, b, now);
        expect(batches.flatMap(({ items }) => items.map(({ key }) => key)).sort((x, y) => x - y)).toEqual(
          window.map(({ key }) => key),
        );
        for (const batch of batches) {
          expect(batch.items.length).toBeGreaterThan(0);
          expect(batch.longest).toBe(Math.max(...batch.items.map(({ length }) => length)));
          expect(batch.tokens).toBe(batch.items.reduce((sum, { length }) => sum + length, 0));
        }
      }),
    );
  });

  it('never exceeds the budget, but for an item that alone is longer than it', () => {
    fc.assert(
      fc.property(windowOf(lane), budget, clock, (window, b, now) => {
        for (const { items, longest } of planBatches(window, b, now)) {
          expect(items.length).toBeLessThanOrEqual(b.maxItems);
          if (items.length > 1) expect(items.length * longest).toBeLessThanOrEqual(b.area);
        }
      }),
    );
  });

  it('pads no more than filling batches greedily from the sorted window, either way round', () => {
    fc.assert(
      fc.property(windowOf(fc.constant('bulk')), budget, clock, (window, b, now) => {
        const padded = planBatches(window, b, now).reduce(
          (sum, { items, longest }) => sum + items.length * longest,
          0,
        );
        const rising = window.map(({ length }) => length).sort((x, y) => x - y);
        expect(padded).toBeLessThanOrEqual(greedyPadded(rising, b));
        expect(padded).toBeLessThanOrEqual(greedyPadded(rising.toReversed(), b));
      }),
    );
  });

  it('costs as little as the best of all cuts of the sorted window', () => {
    const few = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 11 });
    const tight = fc.record({
      area: fc.integer({ min: 1, max: 150 }),
      launchCost: fc.integer({ min: 0, max: 40 }),
      maxItems: fc.integer({ min: 1, max: 6 }),
      deadlineMs: fc.constant(1000),
    });
    fc.assert(
      fc.property(few, tight, (lengths, b) => {
        const batches = planBatches(
          lengths.map((length, key) => item(key, length)),
          b,
          0,
        );
        const cost = batches.reduce((sum, batch) => sum + costOf(batch, b), 0);
        expect(cost).toBe(
          cheapestByTrying(
            lengths.toSorted((x, y) => x - y),
            b,
          ),
        );
      }),
    );
  });

  it('puts the interactive lane first and never into a batch with bulk', () => {
    fc.assert(
      fc.property(windowOf(lane), budget, clock, (window, b, now) => {
        const lanes = planBatches(window, b, now).map((batch) => {
          expect(new Set(batch.items.map((one) => one.lane))).toEqual(new Set([batch.lane]));
          return batch.lane;
        });
        expect(lanes.lastIndexOf('interactive')).toBeLessThan(
          lanes.includes('bulk') ? lanes.indexOf('bulk') : Infinity,
        );
      }),
    );
  });

  it('is deterministic, and leaves the window as it was', () => {
    fc.assert(
      fc.property(windowOf(lane), budget, clock, (window, b, now) => {
        const before = structuredClone(window);
        expect(planBatches(window, b, now)).toEqual(planBatches(structuredClone(window), b, now));
        expect(window).toEqual(before);
      }),
    );
  });

  it('keeps the deadline while an adversary adds better batches at every step', () => {
    const adversary = fc.array(fc.array(fc.integer({ min: 1, max: 512 }), { maxLength: 6 }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(
        adversary,
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 20, max: 500 }),
        (arrivals, length, deadlineMs) => {
          const stepMs = 20;
          let now = 1;
          let window: Item[] = [item(-1, length)];
          for (let step = 0; window.some(({ key }) => key === -1); step += 1) {
            // All younger than the victim, and in perfect batches: any batch with the victim costs more per token.
            const perfect = [item(1, 512, { enqueuedAt: now }), item(2, 512, { enqueuedAt: now })];
            const more = (arrivals[step % arrivals.length] ?? []).map((tokens) =>
              item(3, tokens, { enqueuedAt: now }),
            );
            window.push(...perfect, ...more);
            const [first] = planBatches(window, { ...BUDGET, deadlineMs }, now);
            window = window.filter((one) => !first!.items.includes(one));
            expect(now).toBeLessThanOrEqual(deadlineMs + stepMs);
            now += stepMs;
          }
        },
      ),
    );
  });

  it('lets a sequence of unusual length wait until its deadline, not longer', () => {
    const loner = item(0, 300);
    const full = [item(1, 256), item(2, 256)];
    const early = planBatches([loner, ...full], BUDGET, 999);
    const late = planBatches([loner, ...full.map((one) => ({ ...one, enqueuedAt: 500 }))], BUDGET, 1000);
    expect(early[0]!.items.map(({ key }) => key)).toEqual([1, 2]);
    expect(late[0]!.items.map(({ key }) => key)).toEqual([0]);
  });
});

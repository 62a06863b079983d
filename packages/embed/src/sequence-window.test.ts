import { expect, test } from 'vitest';
import type { Budget } from '@embedmill/batching';
import { SequenceWindow } from './sequence-window.ts';

const BUDGET: Budget = { area: 256, maxItems: 64, launchCost: 16, deadlineMs: 5000 };

/** Admits a query with this many sequences of this many tokens. */
function ask(window: SequenceWindow, count: number, length: number, now: number): void {
  for (let n = 0; n < count; n += 1)
    window.admit(
      { ids: Int32Array.from({ length }, () => n) },
      undefined,
      'interactive',
      now,
      count * length,
    );
}

/** The tokens of the whole query of the next batch's first sequence. */
const next = (window: SequenceWindow, now: number): number | undefined =>
  window.take('interactive', BUDGET, now)?.[0]?.together;

test('a question comes before hundreds of texts that were asked for before it', () => {
  const window = new SequenceWindow();
  for (let n = 0; n < 4; n += 1) ask(window, 64, 32, 0);
  expect(next(window, 1)).toBe(2048);
  ask(window, 1, 9, 2);
  expect(next(window, 3)).toBe(9);
  expect(next(window, 4)).toBe(2048);
  expect(window.isWaiting('interactive')).toBe(true);
});

test('small queries do not keep a large one waiting for ever; nothing is lost', () => {
  const window = new SequenceWindow();
  ask(window, 64, 32, 0);
  let asked = 64;
  let taken = 0;
  const order: number[] = [];
  for (let now = 100; window.isWaiting('interactive'); now += 100) {
    if (now < 3000) {
      ask(window, 1, 9, now);
      asked += 1;
    }
    const batch = window.take('interactive', BUDGET, now) ?? [];
    taken += batch.length;
    order.push(batch[0]?.together ?? 0);
  }
  expect(taken).toBe(asked);
  expect(order.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 9));
  // After a second, the oldest come first.
  expect(order.indexOf(2048)).toBe(10);
});

test('batches share one adapter, and the one that waits longest comes first', () => {
  const window = new SequenceWindow();
  const admit = (adapter: number, now: number, lane: 'bulk' | 'interactive') =>
    window.admit({ ids: Int32Array.of(now), adapter }, undefined, lane, now, 1);
  for (const lane of ['bulk', 'interactive'] as const) {
    admit(1, 5, lane);
    admit(0, 3, lane);
    admit(1, 4, lane);
    admit(0, 6, lane);
    const taken = [window.take(lane, BUDGET, 7), window.take(lane, BUDGET, 7)];
    expect(taken.map((batch) => batch?.map(({ adapter }) => adapter))).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect(window.isWaiting(lane)).toBe(false);
  }
});

test('equal texts of another adapter are another sequence', () => {
  const window = new SequenceWindow();
  const of = (adapter: number | undefined) =>
    window.admit({ ids: Int32Array.of(7), adapter }, undefined, 'bulk', 0);
  expect(of(0)).toBe(of(0));
  expect(of(1)).not.toBe(of(0));
  expect(of(undefined)).not.toBe(of(0));
});

import { expect, test } from 'vitest';
import { ratesOf, withSlots } from './slots.ts';

const slot = (at: number, tokens: number) => ({ at, documents: tokens / 10, failed: 0, tokens });

test('an event’s slots replace those of the same time, and old ones are dropped', () => {
  const before = [slot(0, 10), slot(10, 20), slot(20, 30)];
  expect(withSlots(before, [slot(20, 50), slot(30, 60)], 20)).toEqual([
    slot(10, 20),
    slot(20, 50),
    slot(30, 60),
  ]);
  expect(withSlots([], [], 20)).toEqual([]);
});

test('the slot in progress has no rate yet', () => {
  expect(ratesOf([slot(0, 100), slot(10, 200), slot(20, 5)], 10)).toEqual({
    times: [0, 10],
    tokens: [10, 20],
    documents: [1, 2],
  });
});

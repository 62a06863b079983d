import { expect, test } from 'vitest';
import { RequestSlots } from './request-slots.ts';

const never = new AbortController().signal;

/** A request that runs until it is ended. */
function hold(slots: RequestSlots, urgent = false, signal = never) {
  const ended = Promise.withResolvers<void>();
  const state = { isUnderWay: false, end: () => ended.resolve() };
  const done = slots.use(urgent, signal, () => {
    state.isUnderWay = true;
    return ended.promise;
  });
  return Object.assign(state, { done });
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('as many requests run as there are slots, plus one urgent one', async () => {
  const slots = new RequestSlots(2);
  const bulk = [hold(slots), hold(slots), hold(slots)];
  const urgent = [hold(slots, true), hold(slots, true)];
  await turn();
  expect([...bulk, ...urgent].map(({ isUnderWay }) => isUnderWay)).toEqual([true, true, false, true, false]);
  bulk[0]!.end();
  await bulk[0]!.done;
  await turn();
  expect([bulk[2]!, urgent[1]!].map(({ isUnderWay }) => isUnderWay)).toEqual([false, true]);
  for (const one of [...bulk, ...urgent]) one.end();
  await Promise.all([...bulk, ...urgent].map(({ done }) => done));
});

test('a slot is free again after a failure', async () => {
  const slots = new RequestSlots(1);
  const failing = slots.use(false, never, () => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  expect(await slots.use(false, never, () => Promise.resolve(1))).toBe(1);
});

test('an aborted request leaves the queue without a turn', async () => {
  const slots = new RequestSlots(1);
  const first = hold(slots);
  const unwanted = new AbortController();
  const second = hold(slots, false, unwanted.signal);
  const third = hold(slots);
  unwanted.abort(new Error('unwanted'));
  await expect(second.done).rejects.toThrow('unwanted');
  await expect(hold(slots, false, unwanted.signal).done).rejects.toThrow('unwanted');
  first.end();
  await first.done;
  await turn();
  expect([second.isUnderWay, third.isUnderWay]).toEqual([false, true]);
  third.end();
  await third.done;
});

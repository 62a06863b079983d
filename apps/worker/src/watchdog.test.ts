import { expect, test } from 'vitest';
import { Watchdog } from './watchdog.ts';

function watched() {
  const clock = { ms: 0 };
  const watchdog = new Watchdog({ limitMs: 1000, lookMs: 100, now: () => clock.ms });
  const looks = (count: number, waiting: number) => {
    let state = '';
    for (let n = 0; n < count; n += 1) {
      clock.ms += 100;
      state = watchdog.look(waiting);
    }
    return state;
  };
  return { clock, watchdog, looks };
}

test('without work nothing is wrong, however long', () => {
  const { watchdog, looks } = watched();
  expect(looks(100, 0)).toBe('idle');
  expect(() => watchdog.assertMoving()).not.toThrow();
});

test('shards that wait and are not claimed make it late, then stuck', () => {
  const { watchdog, looks } = watched();
  expect(looks(7, 3)).toBe('working');
  expect(() => watchdog.assertMoving()).not.toThrow();
  expect(looks(1, 3)).toBe('late');
  expect(() => watchdog.assertMoving()).toThrow('no progress for 1 s with 0 shards in hand');
  expect(looks(2, 3)).toBe('stuck');
});

test('a shard without progress makes it stuck, and a batch counts as progress', async () => {
  const { watchdog, looks } = watched();
  const { promise, resolve } = Promise.withResolvers<void>();
  const shard = watchdog.during(() => promise);
  expect(watchdog.inHand).toBe(1);
  expect(looks(9, 0)).toBe('late');
  watchdog.progressed();
  expect(looks(7, 0)).toBe('working');
  expect(looks(3, 0)).toBe('stuck');
  resolve();
  await shard;
  expect(looks(1, 0)).toBe('idle');
});

test('returning a shard counts as progress, too', async () => {
  const { watchdog, looks } = watched();
  looks(9, 1);
  await expect(watchdog.during(() => Promise.reject(new Error('later')))).rejects.toThrow('later');
  expect(watchdog.inHand).toBe(0);
  expect(looks(1, 1)).toBe('working');
});

test('time in which the process did not run does not count', () => {
  const { clock, watchdog } = watched();
  watchdog.look(1);
  clock.ms += 3_600_000;
  expect(watchdog.look(1)).toBe('working');
});

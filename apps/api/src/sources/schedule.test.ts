import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Schedule } from '@embedmill/jobs';
import { assertSchedule, latestTime, nextTime } from './schedule.ts';

const at = (time: string) => Date.parse(time);
const schedules = fc.oneof<fc.Arbitrary<Schedule>[]>(
  fc.tuple(fc.integer({ min: 1, max: 500 }), fc.constantFrom('m', 'h', 'd')).map(([n, unit]) => ({
    every: `${n}${unit}`,
  })),
  fc.record({
    cron: fc.constantFrom('0 3 * * *', '*/7 * * * *', '30 2 * * 1', '0 0 29 2 *', '0 12 1 1,7 *'),
    timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York'),
  }),
);

test('the latest time is not in the future, and the next one follows it directly', () => {
  const times = fc.tuple(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 0, max: 1e10 }));
  fc.assert(
    fc.property(schedules, times, (schedule, [start, passed]) => {
      const since = at('2026-01-01T00:00:00Z') + start;
      const now = since + passed;
      const [latest, next] = [latestTime(schedule, since, now), nextTime(schedule, since, now)];
      if (latest !== undefined) expect(latest).toBeLessThanOrEqual(now);
      expect(next).toBeGreaterThan(now);
      // A check at any time in between gives the same result.
      for (const later of [now + 1, Math.floor((now + (next ?? now)) / 2), (next ?? now) - 1]) {
        if (later > now && later < (next ?? now)) expect(latestTime(schedule, since, later)).toBe(latest);
      }
      expect(latestTime(schedule, since, next ?? now)).toBe(next);
    }),
    { numRuns: 500 },
  );
});

test('cron follows its time zone, also when the clocks change', () => {
  const nightly = { cron: '30 3 * * *', timezone: 'Europe/Berlin' };
  const since = at('2026-03-01T00:00:00Z');
  expect(latestTime(nightly, since, at('2026-03-28T12:00:00Z'))).toBe(at('2026-03-28T02:30:00Z'));
  expect(latestTime(nightly, since, at('2026-03-29T12:00:00Z'))).toBe(at('2026-03-29T01:30:00Z'));
});

test.each<[Schedule, RegExp]>([
  [{ cron: 'soon' }, /write minute, hour, day/],
  [{ cron: '* * * * * *' }, /write minute, hour, day/],
  [{ cron: '61 * * * *' }, /cannot be used/],
  [{ cron: '0 0 31 2 *' }, /cannot be used/],
  [{ cron: '0 0 * * *', timezone: 'Mars' }, /there is no time zone Mars/],
])('%j is refused', (schedule, says) => {
  expect(() => assertSchedule(schedule)).toThrow(says);
});

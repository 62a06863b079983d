import type { UsageRow } from '../../server/shapes.ts';
import { expect, test } from 'vitest';
import { dailyTokens, daysAgo } from './days.ts';

test('days are in UTC', () => {
  expect(daysAgo(0, Date.parse('2026-11-30T00:30:00Z'))).toBe('2026-11-30');
  expect(daysAgo(6, Date.parse('2026-03-03T23:59:00Z'))).toBe('2026-02-25');
});

test('each day has its tokens, and a day without usage has zero', () => {
  const row = (day: string, tokens: number) => ({ day, tokens }) as UsageRow;
  const report = { from: '2026-02-27', to: '2026-03-01', rows: [row('2026-03-01', 7), row('2026-02-27', 5)] };
  const { times, series } = dailyTokens(report, 'tokens');
  expect(times.map((time) => new Date(time).toISOString().slice(0, 10))).toEqual([
    '2026-02-27',
    '2026-02-28',
    '2026-03-01',
  ]);
  expect(series[0]?.values).toEqual([5, 0, 7]);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judge, ratiosOf, reportSchema, verdictLine, type Report } from './ratios.ts';

const row = (who: string, tokensPerSecond: number, more: object = {}) => ({
  corpus: 'short',
  model: 'mini',
  who,
  tokensPerSecond,
  cpu: null,
  ofU: null,
  ...more,
});
const report: Report = reportSchema.parse({
  rows: [
    row('U', 1000),
    row('E0', 900),
    row('N32', 300),
    row('E1', 800, {
      ofU: { median: 0.8, least: 0.7, greatest: 0.9 },
      cpu: { engines: 400, store: 60, redis: null },
    }),
  ],
  latencies: [],
  queue: { documents: 1000, cpuMsPer100Documents: 0.4 },
});

test('ratios are computed from what the benchmark prints', () => {
  expect(ratiosOf(report)).toEqual({
    'mini, short: E0/N32': 3,
    'mini, short: E1/U': 0.8,
    'mini, short: store cost': 0.15,
    'mini, short: queue cost': 0.01,
  });
});

test('what was not measured has no ratio', () => {
  const rows = report.rows.filter(({ who }) => who !== 'N32').map((one) => ({ ...one, cpu: null }));
  expect(ratiosOf({ rows, queue: null })).toEqual({ 'mini, short: E1/U': 0.8 });
});

test.each([
  ['E1/U', 0.8, 0.77, false],
  ['E1/U', 0.8, 0.75, true],
  ['E1/U', 0.8, 0.9, false],
  ['E0/N32', 3, 2.8, true],
  ['store cost', 0.15, 0.156, false],
  ['store cost', 0.15, 0.16, true],
  ['store cost', 0.15, 0.1, false],
  ['queue cost', 0.01, 0.011, true],
])('%s from %d to %d is a regression: %s', (name, before, after, isRegress) => {
  const full = `mini, short: ${name}`;
  expect(judge({ [full]: before }, { [full]: after })).toMatchObject([{ isRegress }]);
});

test('more than 5 % worse is a regression, whether more or less is better', () => {
  const ratio = fc.double({ min: 0.001, max: 1000, noNaN: true });
  const change = fc
    .double({ min: -0.5, max: 0.5, noNaN: true })
    .filter((part) => Math.abs(part - 0.05) > 1e-6);
  fc.assert(
    fc.property(ratio, change, (before, worse) => {
      const [rate, cost] = [before * (1 - worse), before * (1 + worse)];
      const kept = { 'a: E1/U': before, 'a: store cost': before };
      const verdicts = judge(kept, { 'a: E1/U': rate, 'a: store cost': cost });
      expect(verdicts.map(({ isRegress }) => isRegress)).toEqual([worse > 0.05, worse > 0.05]);
    }),
  );
});

test('a kept ratio that was not measured is reported', () => {
  const [verdict] = judge({ 'mini, short: E1/U': 0.8 }, {});
  expect(verdict).toMatchObject({ now: undefined, isRegress: false });
  expect(verdictLine(verdict!)).toBe('not measured  mini, short: E1/U (kept: 0.8)');
});

test('a line says how much worse which ratio is', () => {
  const [verdict] = judge({ 'mini, short: E1/U': 0.8 }, { 'mini, short: E1/U': 0.6 });
  expect(verdictLine(verdict!)).toBe('REGRESS       mini, short: E1/U: 0.6, kept 0.8, 25.0 % worse');
});

import { expect, it } from 'vitest';
import { cpuLines, legend, rowLines, rowOf, type Round } from './rows.ts';

const rounds = (...rates: number[]): Round[] =>
  rates.map((tokensPerSecond) => ({
    tokensPerSecond,
    documentsPerSecond: tokensPerSecond / 10,
    padding: 1.25,
  }));
const about = { corpus: 'short', model: 'mini', who: 'E0', rssMB: 120, detail: '2 engines' } as const;

it('a row has the median of its rounds, and its ratio to the limit round by round', () => {
  const row = rowOf(about, rounds(900, 500, 700), rounds(1000, 1000, 500));
  expect(row).toEqual({
    ...about,
    tokensPerSecond: 700,
    documentsPerSecond: 70,
    padding: 1.25,
    cpu: null,
    ofU: { median: 0.9, least: 0.5, greatest: 1.4 },
  });
});

it('a row without a limit beside it has no ratio', () => {
  expect(rowOf(about, rounds(900), []).ofU).toBeNull();
});

it('a row of whole jobs says which part takes how much of their time', () => {
  const costs = [40, 20, 30].map((worker) => ({ engines: 500, worker, store: null }));
  const row = rowOf(
    { ...about, who: 'E1' },
    rounds(1, 2, 3).map((round, n) => ({ ...round, cpu: costs[n]! })),
    [],
  );
  expect(row.cpu).toEqual({ engines: 500, worker: 30, store: null });
  expect(cpuLines([row])).toEqual(['short, mini: µs of CPU per document: engines 500, worker 30, store –']);
});

it('rows are printed as a table with a legend', () => {
  const [head, line] = rowLines([rowOf({ ...about, rssMB: null }, rounds(12_345), rounds(20_000))]);
  expect(head).toMatch(/^CORPUS {2}MODEL {2}WHO/);
  expect(line).toBe('short   mini   E0      12.3k    1.2k    1.250       –  0.617 (0.62–0.62)  2 engines');
  expect(legend(['short'], ['U'])).toEqual([
    'short: mean 12 tokens',
    'U: ONNX Runtime alone, tokenized and sorted beforehand: the limit',
  ]);
});

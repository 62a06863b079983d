import { expect, test } from 'vitest';
import { tableOf } from './rates.ts';

const setting = { documents: 100, tokens: 20_000, cores: 2, coreHour: 0.05 };

test('a row has the median of the rounds, and the time and price of a million documents at that rate', () => {
  const [, , row] = tableOf([{ who: 'one', seconds: [4, 2, 1] }], setting).split('\n');
  // 10,000 tokens a second: 20,000 s of two cores for a million documents of 200 tokens, at 5 cents an hour each.
  expect(row?.split('|').map((cell) => cell.trim())).toEqual([
    '',
    'one',
    '10.0k',
    '50.0',
    '5.0k–20.0k',
    '$0.56',
    '',
  ]);
});

test('a peer that did not run has a row that says why', () => {
  const [, , row] = tableOf([{ who: 'other', seconds: 'no python3 here' }], setting).split('\n');
  expect(row).toContain('| other | not run: no python3 here |');
});

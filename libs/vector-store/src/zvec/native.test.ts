import { expect, test } from 'vitest';
import { inTurn } from './native.ts';

test('native work runs one at a time and in order, also after work that failed', async () => {
  const log: string[] = [];
  const work = (name: string, fails: boolean) => async () => {
    log.push(`${name} begins`);
    await new Promise(setImmediate);
    log.push(`${name} ends`);
    if (fails) throw new Error(name);
  };
  const outcomes = await Promise.allSettled([
    inTurn(work('a', false)),
    inTurn(work('b', true)),
    inTurn(() => {
      throw new Error('at once');
    }),
    inTurn(work('c', false)),
  ]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
  ]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

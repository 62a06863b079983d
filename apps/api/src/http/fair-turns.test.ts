import { expect, test } from 'vitest';
import { FairTurns } from './fair-turns.ts';

/** Work that ends on command, and the list of started work. */
function works(turns: FairTurns) {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (principal: string, name: string, signal?: AbortSignal) => {
    const asked = turns.run(principal, signal, () => {
      begun.push(name);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
    asked.catch(() => undefined);
    return asked;
  };
  const endFirst = async () => {
    ends.shift()?.();
    await new Promise(setImmediate);
  };
  return { begun, ask, endFirst };
}

test('principals with many and with few requests are admitted alternately', async () => {
  const { begun, ask, endFirst } = works(new FairTurns(1));
  for (let n = 0; n < 50; n += 1) void ask('greedy', `g${n}`);
  void ask('modest', 'm0');
  void ask('modest', 'm1');
  for (let n = 0; n < 6; n += 1) await endFirst();
  expect(begun.slice(0, 6)).toEqual(['g0', 'g1', 'm0', 'g2', 'm1', 'g3']);
});

test('a place is reserved for principals without any', async () => {
  const { begun, ask } = works(new FairTurns(3));
  for (let n = 0; n < 5; n += 1) void ask('greedy', `g${n}`);
  await new Promise(setImmediate);
  expect(begun).toEqual(['g0', 'g1']);
  void ask('modest', 'm0');
  await new Promise(setImmediate);
  expect(begun).toEqual(['g0', 'g1', 'm0']);
});

test('whoever leaves the queue is not admitted, and blocks nobody', async () => {
  const { begun, ask, endFirst } = works(new FairTurns(1));
  const leave = new AbortController();
  void ask('a', 'first');
  const gone = ask('b', 'gone', leave.signal);
  void ask('c', 'last');
  leave.abort();
  await expect(gone).rejects.toMatchObject({ code: 'client_gone' });
  await endFirst();
  expect(begun).toEqual(['first', 'last']);
  await expect(ask('b', 'late', AbortSignal.abort())).rejects.toMatchObject({ code: 'client_gone' });
});

test('work that fails gives its place back', async () => {
  const turns = new FairTurns(1);
  await expect(turns.run('a', undefined, () => Promise.reject(new Error('broken')))).rejects.toThrow(
    'broken',
  );
  expect(await turns.run('a', undefined, () => 3)).toBe(3);
});

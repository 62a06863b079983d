import { expect, test } from 'vitest';
import { EVERYONE, runAs } from '../access/principal.ts';
import { LoopShare } from './loop-share.ts';

/** Work that takes the event loop for this many time slices, and records each. */
async function long(name: string, stretches: number, notes: string[]): Promise<void> {
  const share = new LoopShare();
  for (let n = 0; n < stretches; n += 1) {
    notes.push(name);
    for (const end = performance.now() + 16; performance.now() < end;);
    await share.step();
  }
}

test('between two time slices of long work, others get the event loop', async () => {
  const notes: string[] = [];
  let isOver = false;
  let turns = 0;
  const looking = (async () => {
    for (; !isOver; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      notes.push('turn');
    }
  })();
  const work = Array.from({ length: 6 }, () => long('work', 4, notes));
  // Each got its first time slice at once.
  notes.splice(0);
  await Promise.all(work);
  isOver = true;
  await looking;
  const between = notes
    .join(' ')
    .split('turn')
    .map((part) => part.trim());
  expect(between.filter((part) => part !== '').length).toBe(18);
  expect(between.every((part) => part === '' || part === 'work')).toBe(true);
});

test('principals take turns, however much work one of them has', async () => {
  const notes: string[] = [];
  const as = (name: string, count: number) =>
    Array.from({ length: count }, () => runAs({ ...EVERYONE, name }, () => long(name, 4, notes)));
  const work = [...as('many', 8), ...as('one', 1)];
  notes.splice(0);
  await work.at(-1);
  // Three more of its own time slices, each preceded by at most one of the other's.
  expect(notes.filter((name) => name === 'one').length).toBe(3);
  expect(notes.filter((name) => name === 'many').length).toBeLessThanOrEqual(4);
  await Promise.all(work);
});

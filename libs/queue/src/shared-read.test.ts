import { expect, test } from 'vitest';
import { SharedRead } from './shared-read.ts';

test('callers during a read share the next one, which begins once it has ended', async () => {
  const begun: ((value: number) => void)[] = [];
  const read = new SharedRead(() => new Promise<number>((resolve) => begun.push(resolve)));
  const first = read.ask();
  const others = [read.ask(), read.ask(), read.ask()];
  expect(begun.length).toBe(1);
  begun[0]!(1);
  expect(await first).toBe(1);
  await expect.poll(() => begun.length).toBe(2);
  const later = read.ask();
  begun[1]!(2);
  expect(await Promise.all(others)).toEqual([2, 2, 2]);
  await expect.poll(() => begun.length).toBe(3);
  begun[2]!(3);
  expect(await later).toBe(3);
});

test('a read that fails is the fault of none that comes after it', async () => {
  let reads = 0;
  const read = new SharedRead(() => {
    reads += 1;
    return reads === 1 ? Promise.reject(new Error('away')) : Promise.resolve(reads);
  });
  const asked = [read.ask(), read.ask()];
  await expect(asked[0]).rejects.toThrow('away');
  expect(await asked[1]).toBe(2);
  expect(await read.ask()).toBe(3);
});

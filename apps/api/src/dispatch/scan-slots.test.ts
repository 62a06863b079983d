import { expect, test } from 'vitest';
import { ScanSlots } from './scan-slots.ts';

const never = new AbortController().signal;

/** Scans that end on command, and record when they begin. */
function scans(slots: ScanSlots) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    begin: (name: string, share: string, isSmall = false, signal = never) =>
      slots.run({ share, isSmall }, signal, async () => {
        begun.push(name);
        const { promise, resolve } = Promise.withResolvers<void>();
        ends.set(name, resolve);
        await promise;
      }),
    end: (name: string) => ends.get(name)?.(),
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('shares take turns, however many sources one of them has waiting', async () => {
  const { begin, begun, end } = scans(new ScanSlots(1));
  const all = [begin('a1', 'a'), begin('a2', 'a'), begin('a3', 'a'), begin('b1', 'b'), begin('b2', 'b')];
  for (const name of ['a1', 'a2', 'b1', 'a3', 'b2']) {
    await settle();
    expect(begun.at(-1)).toBe(name);
    end(name);
  }
  await Promise.all(all);
});

test('a small source does not wait for large ones', async () => {
  const { begin, begun, end } = scans(new ScanSlots(2));
  const all = [begin('a', ''), begin('b', ''), begin('c', ''), begin('small', '', true)];
  await settle();
  expect(begun).toEqual(['a', 'b', 'small']);
  for (const name of ['a', 'b', 'small']) end(name);
  await settle();
  end('c');
  await Promise.all(all);
});

test('a cancelled waiting scan takes no slot, and a failed one frees its slot', async () => {
  const slots = new ScanSlots(1);
  const { begin, begun, end } = scans(slots);
  const giving = new AbortController();
  const first = begin('first', '');
  const second = begin('second', 'x', false, giving.signal);
  const third = begin('third', 'x');
  await settle();
  giving.abort(new Error('given up'));
  await expect(second).rejects.toThrow('given up');
  end('first');
  await first;
  await settle();
  expect(begun).toEqual(['first', 'third']);
  end('third');
  await third;
  const failing = slots.run({ share: '', isSmall: false }, never, () => Promise.reject(new Error('broken')));
  await expect(failing).rejects.toThrow('broken');
  await expect(slots.run({ share: '', isSmall: false }, never, async () => 'in')).resolves.toBe('in');
});

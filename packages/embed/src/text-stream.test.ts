import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { vectorsInOrder, type TextGroup } from './text-stream.ts';

const texts = (count: number): string[] => Array.from({ length: count }, (_, n) => `text ${n}`);
/** The vectors of a group: the index of each text. */
const placesOf = ({ first, texts: some }: TextGroup): Float32Array[] =>
  some.map((_, n) => Float32Array.of(first + n));
const places = (groups: readonly Float32Array[][]): number[] => groups.flat().map(([place = -1]) => place);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
};

/** A source that counts reads, and knows whether it was closed. */
function source(count: number) {
  const seen = { read: 0, closed: false };
  async function* read(): AsyncGenerator<string> {
    try {
      for (const text of texts(count)) {
        seen.read += 1;
        yield text;
      }
    } finally {
      seen.closed = true;
    }
  }
  return { seen, texts: read() };
}

test('vectors come in the order of their texts, whichever are done first', async () => {
  const done: (() => void)[] = [];
  const stream = vectorsInOrder(texts(10), 3, undefined, async (group) => {
    await new Promise<void>((resolve) => done.push(resolve));
    return placesOf(group);
  });
  const groups: Float32Array[][] = [];
  const reading = (async () => {
    for await (const group of stream) groups.push(group);
  })();
  await expect.poll(() => done.length).toBe(4);
  for (const end of done.toReversed()) {
    end();
    await turns();
  }
  await reading;
  expect(groups.map(({ length }) => length)).toEqual([3, 3, 3, 1]);
  expect(places(groups)).toEqual(upTo(10));
});

test('the source waits for who takes vectors', async () => {
  const { seen, texts: some } = source(30_000);
  const stream = vectorsInOrder(some, 100, undefined, async (group) => placesOf(group));
  expect(seen.read).toBe(0);
  await stream.next();
  await turns();
  const ahead = seen.read;
  expect(ahead).toBeLessThanOrEqual(8192 + 200);
  for (let taken = 0; taken < 10; taken += 1) await stream.next();
  await turns();
  expect(seen.read - ahead).toBeLessThanOrEqual(1000);
  expect(seen.read).toBeGreaterThan(ahead);
  await stream.return();
});

test('long texts are read ahead by their characters', async () => {
  let read = 0;
  async function* long(): AsyncGenerator<string> {
    for (; read < 100; read += 1) yield 'x'.repeat(1 << 20);
  }
  const stream = vectorsInOrder(long(), 1, undefined, async (group) => placesOf(group));
  await stream.next();
  await turns();
  expect(read).toBeLessThan(20);
  await stream.return();
});

test('vectors do not wait for what the source has not given yet', async () => {
  const { promise: more, resolve } = Promise.withResolvers<void>();
  async function* slow(): AsyncGenerator<string> {
    yield* texts(4);
    await more;
    yield* texts(2);
  }
  const stream = vectorsInOrder(slow(), 2, undefined, async (group) => placesOf(group));
  expect(places([(await stream.next()).value ?? []])).toEqual([0, 1]);
  expect(places([(await stream.next()).value ?? []])).toEqual([2, 3]);
  resolve();
  expect(places([(await stream.next()).value ?? []])).toEqual([4, 5]);
  expect((await stream.next()).done).toBe(true);
});

test('left early, it closes the source and ends the work', async () => {
  const { seen, texts: some } = source(1000);
  const signals: AbortSignal[] = [];
  for await (const group of vectorsInOrder(some, 10, undefined, async (one, signal) => {
    signals.push(signal);
    return placesOf(one);
  })) {
    expect(places([group])).toEqual(upTo(10));
    break;
  }
  expect(seen.closed).toBe(true);
  expect(signals.every(({ aborted }) => aborted)).toBe(true);
});

test('an error comes in its turn, and closes the source', async () => {
  const { seen, texts: some } = source(1000);
  const got: Float32Array[][] = [];
  const stream = vectorsInOrder(some, 10, undefined, async (group) => {
    if (group.first === 20) throw new Error('no vector for these');
    return placesOf(group);
  });
  await expect(
    (async () => {
      for await (const group of stream) got.push(group);
    })(),
  ).rejects.toThrow('no vector for these');
  expect(places(got)).toEqual(upTo(20));
  expect(seen.closed).toBe(true);
});

test('errors of the source are thrown', async () => {
  function* broken(): Generator<string> {
    yield 'a';
    throw new Error('the cursor was lost');
  }
  const stream = vectorsInOrder(broken(), 10, undefined, async (group) => placesOf(group));
  await expect(stream.next()).rejects.toThrow('the cursor was lost');
});

test('a signal ends the wait for work and for the source', async () => {
  const { signal, abort } = stoppable();
  async function* endless(): AsyncGenerator<string> {
    yield 'a';
    await new Promise(() => {});
  }
  const stream = vectorsInOrder(endless(), 1, signal, async (group) => placesOf(group));
  await stream.next();
  const waiting = stream.next();
  abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');

  const late = stoppable();
  const stuck = vectorsInOrder(texts(3), 1, late.signal, () => new Promise(() => {}));
  const next = stuck.next();
  late.abort(new Error('too slow'));
  await expect(next).rejects.toThrow('too slow');
});

function stoppable(): { signal: AbortSignal; abort: (reason: Error) => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}

test('a value that is not a string is reported with its index', async () => {
  const mixed = ['a', 'b', null, 'd'] as string[];
  const stream = vectorsInOrder(mixed, 2, undefined, async (group) => placesOf(group));
  await stream.next();
  await expect(stream.next()).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'texts/2: must be a string, but is null',
  });
});

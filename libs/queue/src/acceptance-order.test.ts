import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AcceptanceOrder } from './acceptance-order.ts';
import type { QueueOptions } from './connection.ts';
import { newJobId } from './names.ts';
import { openBroker } from './open-broker.ts';
import { connectQueue, type Queue } from './queue.ts';
import { BROKERS, collection, type TestBroker } from './test-brokers.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const NAME = collection.name;
const known = () => true;

describe.each(BROKERS)('by $name', ({ missing, start }) => {
  describe.skipIf(missing !== undefined)(missing === undefined ? 'the order' : `skipped: ${missing}`, () => {
    let broker: Awaited<ReturnType<TestBroker['start']>>;
    let tests = 0;
    let options: QueueOptions;

    beforeAll(async () => {
      broker = await start();
    }, 30_000);
    afterAll(() => broker.stop());

    /** The acceptance order of another process. */
    async function order(): Promise<AcceptanceOrder> {
      const opened = await openBroker(options);
      closers.push(() => opened.close());
      return new AcceptanceOrder(opened);
    }

    async function queue(): Promise<Queue> {
      const opened = await connectQueue(options);
      closers.push(() => opened.close());
      return opened;
    }

    const job = (changes: object = {}) => ({
      id: newJobId(),
      collection,
      source: { kind: 'inline' as const, lines: ['{"id":"a","text":"x"}'] },
      label: 'inline',
      digest: 'd1',
      retryOf: null,
      purpose: 'ingest' as const,
      ...changes,
    });

    test('a writer with sections has a sequence for each, which are nobody else’s, until it leaves', async () => {
      options = { ...broker.options, prefix: `{order${(tests += 1)}}` };
      const one = await order();
      const sections = [{ after: 0 }, { after: 2 }, { after: 4 }];
      const first = await one.take(NAME, 'before');
      const base = await one.take(NAME, 'job_1 s', sections);
      const next = await one.take(NAME, 'after');
      expect(base - first).toBeGreaterThan(1);
      expect(next - (base + 4)).toBeGreaterThan(1);
      const all = [base, base + 2, base + 4];
      expect(await one.writableBelow(NAME, next)).toEqual([first, ...all]);
      expect(await one.olderThan(NAME, next)).toEqual(['before', 'job_1 s']);
      expect(await one.rivalOf(NAME, next)).toBe(base + 4);
      expect(await one.rivalOf(NAME, base + 4)).toBe(base + 2);
      expect(await one.rivalOf(NAME, base)).toBe(first);
      await one.leave(NAME, 'job_1 s', { sequence: base }, sections);
      expect(await one.rivalOf(NAME, next)).toBe(first);
      expect(await one.writableBelow(NAME, next)).toEqual([first, ...all]);
      await one.forget(NAME, 'job_1 s', sections);
      expect(await one.writableBelow(NAME, next)).toEqual([first]);
      await one.join(NAME, 'job_2 s', base, sections.slice(1));
      expect(await one.writableBelow(NAME, next)).toEqual([first, base + 2, base + 4]);
    });

    test('sequences follow the clock, each above all before it, over processes and collections', async () => {
      options = { ...broker.options, prefix: `{order${(tests += 1)}}` };
      const [one, two] = [await order(), await order()];
      const before = 1000 * Date.now();
      const taken: number[] = [];
      for (let n = 0; n < 20; n += 1) taken.push(await (n % 2 === 0 ? one : two).take(`c${n % 3}`, `w${n}`));
      expect(taken).toEqual(taken.toSorted((a, b) => a - b));
      // Between any two there is a place for a deletion that affects only the first.
      expect(taken.every((one, n) => one - (taken[n - 1] ?? 0) > 1)).toBe(true);
      expect(taken.every(Number.isSafeInteger)).toBe(true);
      // The broker uses this machine's clock.
      expect(Math.abs((taken[0] ?? 0) - before)).toBeLessThan(60e6);
      const together = await Promise.all(Array.from({ length: 50 }, (_, n) => one.take(NAME, `t${n}`)));
      expect(new Set(together).size).toBe(50);
      expect(Math.min(...together)).toBeGreaterThan(taken.at(-1) ?? Infinity);
    });

    test('if the broker lost its last sequence, the next one is above all that the process has seen', async () => {
      options = { ...broker.options, prefix: `{order${(tests += 1)}}` };
      const seen = await order();
      const ahead = 1000 * Date.now() + 3600e6;
      // The sequence of a job in the spool that was accepted while the broker's clock was ahead.
      await seen.join(NAME, 'given back', ahead);
      expect(await seen.take(NAME, 'next')).toBe(ahead + 2);
      expect(await (await order()).take(NAME, 'of another process')).toBe(ahead + 4);
    });

    test('a writer’s rival is the greatest before it that may still write', async () => {
      options = { ...broker.options, prefix: `{order${(tests += 1)}}` };
      const one = await order();
      const first = await one.take(NAME, 'first');
      const second = await one.take(NAME, 'second');
      const third = await one.take(NAME, 'third');
      await one.take('other', 'elsewhere');
      expect(await one.rivalOf(NAME, first)).toBe(0);
      expect(await one.rivalOf(NAME, third)).toBe(second);
      expect(await one.writableBelow(NAME, third)).toEqual([first, second]);
      await one.leave(NAME, 'second');
      expect(await one.rivalOf(NAME, third)).toBe(first);
      // A repeatable job does not write by itself.
      await one.leave(NAME, 'first', { sequence: first });
      expect(await one.rivalOf(NAME, third)).toBe(0);
      expect(await one.oldest(NAME, known, Infinity)).toBe(first);
      await one.forget(NAME, 'first');
      expect(await one.oldest(NAME, known, Infinity)).toBe(third);
      await one.forget(NAME, 'third');
      expect(await one.oldest(NAME, known, Infinity)).toBeUndefined();
    });

    test('the remains of a dead process are dropped once they are old', async () => {
      options = { ...broker.options, prefix: `{order${(tests += 1)}}` };
      const one = await order();
      const left = await one.take(NAME, 'write left');
      const own = await one.take(NAME, 'job_1 x');
      const isKnown = (writer: string) => writer.startsWith('job_1');
      expect(await one.oldest(NAME, isKnown, left)).toBe(left);
      expect(await one.oldest(NAME, isKnown, Infinity)).toBe(own);
      expect(await one.rivalOf(NAME, Number.MAX_SAFE_INTEGER)).toBe(own);
    });

    test('jobs are writers until they are removed; what repeats one has its sequence; deletions only while they run', async () => {
      options = { ...broker.options, prefix: `{order${(tests += 1)}}` };
      const own = await queue();
      const look = await order();
      const before = await look.take('other', 'before');
      const first = job();
      const { job: submitted } = await own.submit(first);
      expect(submitted.sequence).toBeGreaterThan(before);
      // The same Idempotency-Key, from another process at the same time.
      const again = await Promise.all([own.submit(first), (await queue()).submit(first)]);
      expect(again.map(({ job: { sequence } }) => sequence)).toEqual([
        submitted.sequence,
        submitted.sequence,
      ]);
      const { job: retry } = await own.submit(job({ retryOf: first.id, sequence: submitted.sequence }));
      expect(retry.sequence).toBe(submitted.sequence);
      const { job: later } = await own.submit(job());
      expect(later.sequence).toBeGreaterThan(submitted.sequence);
      expect(await look.rivalOf(NAME, later.sequence)).toBe(submitted.sequence);

      const during = await own.inOrder(NAME, async (sequence) => {
        expect(sequence).toBeGreaterThan(later.sequence);
        return look.rivalOf(NAME, Number.MAX_SAFE_INTEGER);
      });
      expect(during).toBeGreaterThan(later.sequence);
      const broken = own.inOrder(NAME, () => Promise.reject(new Error('broken')));
      await expect(broken).rejects.toThrow('broken');
      expect(await look.rivalOf(NAME, Number.MAX_SAFE_INTEGER)).toBe(later.sequence);

      await own.remove(first.id);
      expect(await look.oldest(NAME, known, Infinity)).toBe(submitted.sequence);
      await own.remove(retry.id as typeof first.id);
      expect(await look.oldest(NAME, known, Infinity)).toBe(later.sequence);
    });

    test('nothing is left of a submission that could not be kept', async () => {
      options = { ...broker.options, prefix: `{order${(tests += 1)}}` };
      const own = await queue();
      const full = own.submit(job(), () => Promise.reject(new Error('the disk is full')));
      await expect(full).rejects.toThrow('the disk is full');
      expect(await (await order()).oldest(NAME, known, Infinity)).toBeUndefined();
    });
  });
});

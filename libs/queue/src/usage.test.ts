import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { dayOf, type JobId, type UsageAmounts } from '@embedmill/jobs';
import { consumeIngest } from './ingest-consumer.ts';
import { newJobId } from './names.ts';
import { connectQueue, type Queue } from './queue.ts';
import { BROKERS, collection, MODEL } from './test-brokers.ts';

const TODAY = dayOf(Date.now());
const sumOf = (entries: readonly UsageAmounts[]): UsageAmounts => ({
  documents: entries.reduce((sum, { documents }) => sum + documents, 0),
  tokens: entries.reduce((sum, { tokens }) => sum + tokens, 0),
  engineMs: entries.reduce((sum, { engineMs }) => sum + engineMs, 0),
});

const brokers = BROKERS.filter(({ name }) => ['Redis', 'Redis Cluster', 'PostgreSQL'].includes(name));

describe.each(brokers)('by $name', ({ missing, start }) => {
  describe.skipIf(missing !== undefined)(missing === undefined ? 'usage' : `skipped: ${missing}`, () => {
    let broker: Awaited<ReturnType<typeof start>>;
    let queue: Queue;
    let tests = 0;
    const closers: (() => Promise<void>)[] = [];

    beforeAll(async () => {
      broker = await start();
    });
    afterAll(() => broker.stop());
    beforeEach(async () => {
      tests += 1;
      queue = await connectQueue({ ...broker.options, prefix: `{usage${tests}}` });
      closers.push(() => queue.close());
    });
    afterEach(async () => {
      for (const close of closers.splice(0).reverse()) await close();
    });

    /** A finished job with this usage. */
    async function endedJob(usage: Record<string, UsageAmounts>, key?: string): Promise<JobId> {
      const id = newJobId();
      const consumer = await consumeIngest(
        { ...broker.options, prefix: `{usage${tests}}`, concurrency: 1, lockMs: 5000, onError: () => {} },
        async (handle) => {
          handle.record = {
            ...handle.record,
            state: 'completed',
            finishedAt: new Date().toISOString(),
            usage,
          };
          await handle.save();
        },
      );
      await queue.submit({
        id,
        purpose: 'ingest',
        collection,
        label: 'upload',
        digest: 'x',
        retryOf: null,
        key,
        source: { kind: 'file', uri: 'file:///documents.ndjson', size: 1, modified: 0 },
      });
      await expect
        .poll(async () => (await queue.retainedJobs()).find((job) => job.id === id)?.isSettled, {
          timeout: 20_000,
        })
        .toBe(true);
      await consumer.close();
      return id;
    }

    test('a job’s is the same before and after the job is removed, however often that is tried', async () => {
      const usage = {
        '2026-11-28': { documents: 300, tokens: 5000, engineMs: 120 },
        [TODAY]: { documents: 7, tokens: 11, engineMs: 0 },
      };
      const [first, second] = [await endedJob(usage, 'nightly'), await endedJob(usage)];
      const before = await queue.usage('2026-11-28', TODAY);
      expect(sumOf(before)).toEqual({ documents: 614, tokens: 10_022, engineMs: 240 });
      expect(before.find(({ day, key }) => day === TODAY && key === 'nightly')).toEqual({
        day: TODAY,
        key: 'nightly',
        tenant: '',
        collection: 'test',
        model: MODEL,
        documents: 7,
        tokens: 11,
        engineMs: 0,
      });
      await Promise.all([queue.remove(first), queue.remove(first), queue.remove(first)]);
      await queue.forget(second);
      await queue.remove(second);
      expect(await queue.retainedJobs()).toEqual([]);
      const order = (entries: typeof before) =>
        entries.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
      expect(order(await queue.usage('2026-11-28', TODAY))).toEqual(order(before));
      expect(sumOf(await queue.usage('2026-11-28', '2026-11-28')).tokens).toBe(10_000);
    });

    test('what queries use is added to what is there, by what it is of', async () => {
      const of = { key: 'k', tenant: 't "x"', collection: '', model: 'm', documents: 0, engineMs: 0 };
      await queue.countUsage([
        { ...of, day: TODAY, tokens: 5 },
        { ...of, day: '2026-11-01', tokens: 7 },
      ]);
      await queue.countUsage([
        { ...of, day: TODAY, tokens: 3 },
        { ...of, tenant: '', day: TODAY, tokens: 100 },
      ]);
      const entries = await queue.usage('2026-11-01', TODAY);
      expect(sumOf(entries).tokens).toBe(115);
      expect(entries.find(({ day, tenant }) => day === TODAY && tenant === 't "x"')?.tokens).toBe(8);
      expect(await queue.usage('2026-10-01', '2026-10-02')).toEqual([]);
    });

    test('what accepted jobs have left to do is known before any of it was done', async () => {
      await queue.submit({
        id: newJobId(),
        purpose: 'ingest',
        collection,
        label: 'inline',
        digest: 'x',
        retryOf: null,
        key: 'nightly',
        source: { kind: 'inline', lines: ['{"id":"a","text":"x"}', '{"id":"b","text":"y"}'] },
      });
      const [ahead] = await queue.workAhead();
      expect(ahead).toMatchObject({ key: 'nightly', documents: 2, day: TODAY });
      expect(ahead?.tokens).toBeGreaterThan(0);
      await endedJob({ [TODAY]: { documents: 1, tokens: 1, engineMs: 0 } });
    });
  });
});

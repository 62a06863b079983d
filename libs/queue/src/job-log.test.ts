import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobId } from '@embedmill/jobs';
import { MOST_LINES } from './job-log.ts';
import { newJobId } from './names.ts';
import { connectQueue, type Queue } from './queue.ts';
import { BROKERS, collection } from './test-brokers.ts';

const KINDS = BROKERS.filter(({ name }) => ['Redis', 'Redis Cluster', 'PostgreSQL'].includes(name));

describe.each(KINDS)('the log of a job, on $name', ({ start, missing }) => {
  describe.skipIf(missing !== undefined)(missing ?? 'there', () => {
    let broker: Awaited<ReturnType<typeof start>>;
    let queue: Queue;
    let other: Queue;
    beforeAll(async () => {
      broker = await start();
      queue = await connectQueue(broker.options);
      other = await connectQueue(broker.options);
    });
    afterAll(async () => {
      await queue?.close();
      await other?.close();
      await broker?.stop();
    });

    async function submitted(): Promise<JobId> {
      const id = newJobId();
      await queue.submit({
        id,
        purpose: 'ingest',
        collection,
        source: { kind: 'inline', lines: [] },
        label: 'inline',
        digest: id,
        retryOf: null,
      });
      return id;
    }
    const texts = async (id: JobId) => (await other.jobLog(id)).map(({ text }) => text);

    test('any process reads the last lines, the oldest first', async () => {
      const id = await submitted();
      for (let n = 0; n < MOST_LINES + 5; n += 1)
        queue.noteJob(id, { level: 'info', event: 'accepted', text: `line ${n}` });
      await expect.poll(async () => (await texts(id)).at(-1)).toBe(`line ${MOST_LINES + 4}`);
      expect(await texts(id)).toEqual(Array.from({ length: MOST_LINES }, (_, n) => `line ${n + 5}`));
    });

    test('a long line is cut, and a job that is gone has none', async () => {
      const id = await submitted();
      queue.noteJob(id, { level: 'warn', event: 'shard_failed', text: 'x'.repeat(5000) });
      await expect.poll(() => texts(id)).toEqual(['x'.repeat(600)]);
      await queue.remove(id);
      queue.noteJob(id, { level: 'info', event: 'ended', text: 'too late' });
      await queue.ping();
      expect(await texts(id)).toEqual([]);
    });
  });
});

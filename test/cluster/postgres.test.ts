import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingPostgres, startTestPostgres, type TestPostgres } from '@embedmill/postgres-server';
import { Embedmill, ndjson } from '../embedmill.ts';

/** All processes with PostgreSQL as the queue: no Redis runs, and nothing else differs. */
describe.skipIf(missingPostgres !== undefined)(
  missingPostgres === undefined ? 'by PostgreSQL' : `by PostgreSQL (skipped: ${missingPostgres})`,
  () => {
    let postgres: TestPostgres;
    let mill: Embedmill;

    beforeAll(async () => {
      postgres = await startTestPostgres();
      // Nothing may connect to Redis, even if this machine has one.
      mill = await Embedmill.up({
        env: { QUEUE_URL: postgres.url, REDIS_URL: 'redis://127.0.0.1:1' },
      });
    });
    afterAll(async () => {
      await mill?.stop();
      await postgres?.stop();
    });

    test('no Redis is started, and up prints where the queue is', async () => {
      expect((await mill.state()).processes.redis).toBeNull();
      expect(mill.output).toMatch(/the queue is PostgreSQL \d+/);
    });

    test('a job is stored completely and found by a search', async () => {
      const name = await mill.collection('postgres');
      const documents = Array.from({ length: 1000 }, (_, n) => ({
        id: `d${n}`,
        text: `number ${n} of many`,
      }));
      documents.push({ id: 'otter', text: 'The otter is at home in rivers and eats fish.' });
      const job = await mill.submit(name, ndjson(documents) + '{"id":"bad","text":""}\n');
      expect(await mill.finished(job)).toMatchObject({
        state: 'completed',
        documents: 1002,
        done: 1002,
        stored: 1001,
        failed: 1,
      });
      expect(await mill.reports(job, 'failures')).toMatchObject([{ id: 'bad', code: 'empty_text' }]);
      const [first] = await mill.search(name, { query: 'an animal that swims', limit: 1 });
      expect(first).toMatchObject({ id: 'otter' });
    });

    test('a job continues when PostgreSQL is killed and restarted', async () => {
      const name = await mill.collection('postgres-kill');
      const documents = Array.from({ length: 3000 }, (_, n) => ({
        id: `d${n}`,
        text: `the document of number ${n} says some more words than the number alone`,
      }));
      const job = await mill.submit(name, ndjson(documents));
      await mill.underWay(job);
      await postgres.kill();
      const away = await mill.call(`/api/v1/jobs/${job.id}`);
      expect({ status: away.status, body: await away.json() }).toMatchObject({
        status: 503,
        body: { code: 'queue_unavailable' },
      });
      await postgres.start();
      expect(await mill.finished(job)).toMatchObject({ state: 'completed', stored: 3000, done: 3000 });
    });
  },
);

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobStateSchema, type Job, type JobId, type JobState, type TenantId } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import type { QueueOptions } from './connection.ts';
import { consumeIngest } from './ingest-consumer.ts';
import { newRecord, type IngestRecord, type NewJob } from './ingest-record.ts';
import { listName, listsOf, placeOf } from './job-index.ts';
import { JobList, type JobSelection } from './job-list.ts';
import { INGEST_QUEUE, newJobId } from './names.ts';
import { openBroker } from './open-broker.ts';
import { connectQueue, type Queue } from './queue.ts';
import { BROKERS, collection, type TestBroker } from './test-brokers.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const newJob = (changes: Partial<NewJob> = {}): NewJob => ({
  id: newJobId(),
  collection,
  source: { kind: 'inline', lines: ['{"id":"a","text":"x"}'] },
  label: 'inline',
  digest: 'd1',
  retryOf: null,
  purpose: 'ingest',
  ...changes,
});

const inCollection = (name: string) => ({ collection: { ...collection, name } });

describe.each(BROKERS.filter(({ name }) => ['Redis', 'Redis Cluster', 'PostgreSQL'].includes(name)))(
  'by $name',
  ({ missing, start }) => {
    describe.skipIf(missing !== undefined)(missing === undefined ? 'jobs' : `skipped: ${missing}`, () => {
      let started: Awaited<ReturnType<TestBroker['start']>>;
      let tests = 0;
      let options: QueueOptions;
      let queue: Queue;
      let broker: Broker;

      beforeAll(async () => {
        started = await start();
      });
      afterAll(() => started.stop());
      beforeEach(async () => {
        tests += 1;
        options = { ...started.options, prefix: `{listed${tests}}` };
        queue = await connectQueue(options);
        broker = await openBroker(options);
        closers.push(
          () => queue.close(),
          () => broker.close(),
        );
      });

      /** All pages of a selection, concatenated. */
      async function pages(selection: JobSelection): Promise<Job[][]> {
        const found: Job[][] = [];
        for (let after = selection.after; ;) {
          const { jobs, next } = await queue.listJobs({ ...selection, after });
          found.push(jobs);
          if (next === null) return found;
          after = next;
        }
      }
      const ids = async (selection: JobSelection): Promise<string[]> =>
        (await pages(selection)).flat().map(({ id }) => id);

      /** Adds many jobs at once, as the queue does. */
      async function addMany(count: number, change: (n: number) => Partial<IngestRecord>): Promise<JobId[]> {
        const records = Array.from({ length: count }, (_, n) => {
          const id = `job_many${String(n).padStart(6, '0')}` as JobId;
          return { ...newRecord(newJob({ id }), 's', n + 1), ...change(n) };
        });
        for (const [n, record] of records.entries()) {
          const place = placeOf(record.id, 1000 + n);
          await broker.list({ place, from: [], to: listsOf(record) });
        }
        await broker.queues.get(INGEST_QUEUE).addBulk(
          records.map((data, n) => ({
            name: 'ingest',
            data,
            opts: { jobId: data.id, timestamp: 1000 + n },
          })),
        );
        return records.map(({ id }) => id).toReversed();
      }

      test('every selection returns its jobs once, newest first', async () => {
        const all: Job[] = [];
        for (let n = 0; n < 24; n += 1) {
          const tenant = [undefined, 'acme', 'other'][n % 3] as TenantId | undefined;
          const { job } = await queue.submit(
            newJob({
              ...inCollection(n % 2 === 0 ? 'docs' : 'News'),
              ...(tenant !== undefined && { tenant }),
              label: n % 4 === 0 ? 'upload' : `https://a.example/${n}`,
              ...(n % 5 === 0 && { sourceName: 'wiki' }),
            }),
          );
          all.unshift(job);
        }
        const newest = all.toSorted((a, b) =>
          placeOf(a.id as JobId, Date.parse(a.createdAt)) < placeOf(b.id as JobId, Date.parse(b.createdAt))
            ? 1
            : -1,
        );
        const selections: Omit<JobSelection, 'limit'>[] = [];
        for (const tenant of [undefined, 'acme', 'nobody'])
          for (const name of [undefined, 'docs', 'nowhere'])
            for (const state of [undefined, 'queued', 'failed'] as const)
              for (const source of [undefined, 'upload', 'wiki'])
                for (const text of [undefined, 'NEWS'])
                  for (const collections of [undefined, new Set(['docs', 'nothing'])])
                    selections.push({ tenant, collection: name, state, source, text, collections });
        for (const selection of selections) {
          const { tenant, collection: name, state, source, text, collections } = selection;
          const wanted = newest.filter(
            (job) =>
              (tenant === undefined || job.tenant === tenant) &&
              (name === undefined || job.collection === name) &&
              (state === undefined || job.state === state) &&
              (source === undefined || job.source === source || job.sourceName === source) &&
              (text === undefined || job.collection === 'News') &&
              collections?.has(job.collection) !== false,
          );
          expect(await ids({ ...selection, limit: 5 }), JSON.stringify(selection)).toEqual(
            wanted.map(({ id }) => id),
          );
        }
      }, 60_000);

      test('jobs added or removed between two pages do not move others', async () => {
        const before = await addMany(20, (n) => ({ state: n % 2 === 0 ? 'completed' : 'failed' }));
        const first = await queue.listJobs({ limit: 5 });
        expect(first.jobs.map(({ id }) => id)).toEqual(before.slice(0, 5));
        await queue.submit(newJob());
        for (const id of [before[1]!, before[4]!, before[6]!]) await queue.remove(id);
        const left = before.slice(5).filter((id) => id !== before[6]);
        expect(await ids({ limit: 5, after: first.next! })).toEqual(left);
      });

      test('a job’s lists follow its record, and only its dispatcher changes them', async () => {
        const { job } = await queue.submit(newJob({ tenant: 'acme' as TenantId }));
        const stateOf = async (selection: object = {}): Promise<JobState[]> => {
          const listed: JobState[] = [];
          for (const state of jobStateSchema.options)
            if ((await ids({ ...selection, state, limit: 5 })).length > 0) listed.push(state);
          return listed;
        };
        expect(await stateOf()).toEqual(['queued']);
        const seen: JobState[][] = [];
        const done = Promise.withResolvers<void>();
        const consumer = await consumeIngest(
          { ...options, concurrency: 1, lockMs: 10_000, onError: () => {} },
          async (handle) => {
            for (const state of ['scanning', 'running', 'completed'] as const) {
              handle.record = { ...handle.record, state };
              await handle.save();
              seen.push(await stateOf({ tenant: 'acme', collection: collection.name }));
            }
            done.resolve();
          },
        );
        closers.push(() => consumer.close());
        await done.promise;
        expect(seen).toEqual([['scanning'], ['running'], ['completed']]);
        const place = placeOf(job.id as JobId, Date.parse(job.createdAt));
        const wrong = { place, from: [listName({})], to: [] };
        expect(await broker.saveHeld(INGEST_QUEUE, job.id, 'no token', {}, wrong)).toBe(false);
        expect(await ids({ limit: 5 })).toEqual([job.id]);
        await expect
          .poll(async () => (await queue.retainedJobs()).every(({ isSettled }) => isSettled))
          .toBe(true);
        await queue.forget(job.id as JobId);
        expect(await ids({ limit: 5 })).toEqual([]);
        for (const name of listsOf({ ...newJob({ tenant: 'acme' as TenantId }), state: 'completed' }))
          expect(await broker.placesBelow(name, undefined, 5)).toEqual([]);
      });

      test('reading all jobs restores lost lists', async () => {
        const known = await addMany(40, (n) => ({
          ...(n % 2 === 0 && { tenant: 'acme' as TenantId }),
          state: 'completed',
        }));
        const wholly = {
          limit: 50,
          tenant: 'acme',
          collection: collection.name,
          state: 'completed',
        } as const;
        const before = await ids(wholly);
        expect(before.length).toBe(20);
        for (const [n, id] of known.toReversed().entries()) {
          const record = {
            ...newRecord(newJob({ id, tenant: 'acme' as TenantId }), 's', 1),
            state: 'completed',
          };
          await broker.list({
            place: placeOf(id, 1000 + n),
            from: n % 3 === 0 ? [listName(wholly)] : listsOf(record as IngestRecord),
            to: [],
          });
        }
        expect(await ids(wholly)).toEqual([]);
        await queue.retainedJobs();
        expect(await ids(wholly)).toEqual(before);
        expect(await ids({ limit: 50 })).toEqual(known);
      });

      test('an entry without a matching job is skipped, and repaired', async () => {
        const [id] = await addMany(1, () => ({ state: 'completed' }));
        const running = listName({ state: 'running' });
        await broker.list({ place: placeOf(id!, 1000), from: [], to: [running] });
        await broker.list({ place: placeOf(id!, 77), from: [], to: [listName({})] });
        await broker.list({
          place: placeOf('job_gone' as JobId, 1001),
          from: [],
          to: [listName({}), running],
        });
        const soon = placeOf('job_coming' as JobId, Date.now());
        await broker.list({ place: soon, from: [], to: [listName({})] });
        expect(await ids({ limit: 5, state: 'running' })).toEqual([]);
        expect(await ids({ limit: 5 })).toEqual([id]);
        expect(await broker.placesBelow(running, undefined, 5)).toEqual([]);
        expect(await broker.placesBelow(listName({}), undefined, 5)).toEqual([soon, placeOf(id!, 1000)]);
        expect(await ids({ limit: 5, state: 'completed' })).toEqual([id]);
      });

      test('a page reads a bounded number of jobs and bytes, however many there are', async () => {
        let read = 0;
        const counting: Broker = Object.create(broker, {
          readJobs: {
            value: (name: string, asked: readonly string[]) => {
              read += asked.length;
              return broker.readJobs(name, asked);
            },
          },
          placesBelow: { value: broker.placesBelow.bind(broker) },
          list: { value: broker.list.bind(broker) },
          queues: { value: broker.queues },
        }) as Broker;
        const list = new JobList(counting);
        const lines = [`{"id":"a","text":"${'x'.repeat(250_000)}"}`];
        const all = await addMany(1200, (n) => ({
          state: n < 30 ? 'failed' : 'completed',
          ...(n >= 30 && n < 70 && { source: { kind: 'inline', lines }, ...inCollection('large') }),
        }));
        for (const [selection, most] of [
          [{ limit: 50 }, 51],
          [{ limit: 50, state: 'failed' }, 31],
          [{ limit: 5, state: 'running' }, 0],
          [{ limit: 5, text: 'nowhere' }, 1000 + 32],
        ] as const) {
          read = 0;
          await list.page(selection);
          expect(read, JSON.stringify(selection)).toBeLessThanOrEqual(most);
        }
        const { jobs, next } = await list.page({ limit: 40, collection: 'large' });
        expect(jobs.length).toBeLessThan(20);
        expect(next).not.toBeNull();
        expect(await ids({ limit: 40, collection: 'large' })).toEqual(all.slice(1130, 1170));
        const rare = await list.page({ limit: 5, text: all[1190]! });
        expect(rare).toMatchObject({ jobs: [], next: expect.any(String) as string });
        expect(await ids({ limit: 5, text: all[1190]! })).toEqual([all[1190]]);
      }, 120_000);
    });
  },
);

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { sectionsOf, type JobId, type Shard } from '@embedmill/jobs';
import { startTestRedis } from '@embedmill/redis-server';
import type { InputOf, OutputOf, SourceTask } from '../sources/source-tasks.ts';
import { SourceThreads } from '../sources/source-threads.ts';
import { stored, testDispatch, type TestDispatch } from './test-dispatch.ts';

/** A job of 5000 documents has about 155 kB: six sections. */
const DOCUMENTS = 5000;
const SECTIONS = sectionsOf(150_000, 8000);

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let rig: TestDispatch;
let tests = 0;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  tests += 1;
  rig = await testDispatch({ redisUrl: redis.url, prefix: `{sections${tests}}` });
});
afterEach(() => rig.close());

/** Scans further sections once the test lets it. */
class HeldThreads extends SourceThreads {
  readonly held = Promise.withResolvers<void>();

  override async run<Name extends SourceTask>(
    task: Name,
    input: InputOf<Name>,
    options?: { share?: string | undefined; signal?: AbortSignal },
  ): Promise<OutputOf<Name>> {
    const isRest = task === 'manifest' && (input as InputOf<'manifest'>).section?.number !== 0;
    const aborted = Promise.withResolvers<void>();
    options?.signal?.addEventListener('abort', () => aborted.resolve());
    if (isRest) await Promise.race([this.held.promise, aborted.promise]);
    return super.run(task, input, options);
  }
}

/** A worker that stores everything, and what it was given. */
async function working(): Promise<Shard[]> {
  const seen: Shard[] = [];
  await rig.worker((shard) => {
    seen.push(shard);
    return Promise.resolve(stored(shard));
  });
  return seen;
}

/** A job of which something is stored while its source is not scanned to the end. */
async function inMidScan(): Promise<{ id: JobId; threads: HeldThreads; seen: Shard[] }> {
  const threads = new HeldThreads(rig.spool);
  rig.onClose(() => threads.close());
  const seen = await working();
  await rig.dispatcher({ threads });
  const id = await rig.submit(DOCUMENTS, { sections: SECTIONS });
  await expect.poll(async () => (await rig.queue.getJob(id))?.done ?? 0).toBeGreaterThan(0);
  return { id, threads, seen };
}

/** Each line in one shard, in the section where it begins, under that section's sequence. */
function expectWhole(seen: readonly Shard[]): void {
  const shards = [...new Map(seen.map((shard) => [shard.index, shard])).values()].toSorted(
    (a, b) => a.index - b.index,
  );
  let offset = 0;
  let line = 1;
  const base = shards[0]?.sequence ?? 0;
  for (const [n, { index, range, sequence }] of shards.entries()) {
    expect(index).toBe(n);
    expect(range).toMatchObject({ offset, firstLine: line });
    const section = SECTIONS.findLast((one) => one.offset <= range.offset);
    expect(sequence).toBe(base + (section?.after ?? 0));
    offset += range.length;
    line += range.documents;
  }
  expect(line).toBe(DOCUMENTS + 1);
}

const WHOLE_JOB = { state: 'completed', scanned: true, documents: DOCUMENTS, stored: DOCUMENTS, failed: 0 };

test('the shards of the first section are settled while the rest of the source is not scanned', async () => {
  const { id, threads, seen } = await inMidScan();
  const early = await rig.queue.getJob(id);
  expect(early).toMatchObject({ state: 'running', scanned: false, done: early?.documents });
  expect(early?.documents).toBeLessThan(DOCUMENTS / 10);
  expect(early?.shardsDone).toBeLessThan(early?.shards ?? 0);
  threads.held.resolve();
  const job = await rig.finished(id);
  expect(job).toMatchObject({ ...WHOLE_JOB, shardsDone: job.shards });
  expectWhole(seen);
});

test('a shard confirms what earlier sections may still write, and nothing once they are stored', async () => {
  const { id, threads, seen } = await inMidScan();
  const first = () =>
    rig.queue.getJob(id).then((job) => job !== undefined && job.done > 0 && job.done === job.documents);
  await expect.poll(first).toBe(true);
  threads.held.resolve();
  await rig.finished(id);
  const [base] = seen;
  const second = seen.find(({ sequence }) => sequence === (base?.sequence ?? 0) + 2);
  expect(base?.rival).toBe(0);
  expect(second?.rival).toBe(0);
  for (const { sequence, rival } of seen) expect([0, sequence - 2]).toContain(rival);
});

test.each([
  'manifest-0-after',
  'manifest-1',
  'manifest-1-after',
  'manifest-3',
  'manifest-5',
  'manifest-5-after',
])('a dispatcher that dies at %s loses and doubles nothing', async (fatal) => {
  const seen = await working();
  const id = await rig.submit(DOCUMENTS, { sections: SECTIONS });
  const entry = new URL('./dying-dispatcher.fixture.ts', import.meta.url);
  // Once: on a slow machine, a living dispatcher may lose its short lock too, and the third loss ends the job.
  const child = fork(entry, [JSON.stringify(rig.address), rig.folder, fatal], { execArgv: [] });
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  await rig.dispatcher();
  const job = await rig.finished(id);
  expect(job).toMatchObject({ ...WHOLE_JOB, shardsDone: job.shards });
  expectWhole(seen);
});

test('a job at a section of whose source dispatchers die three times fails, and says so', async () => {
  await working();
  const id = await rig.submit(DOCUMENTS, { sections: SECTIONS });
  const entry = new URL('./dying-dispatcher.fixture.ts', import.meta.url);
  for (let died = 0; died < 3; died += 1) {
    const child = fork(entry, [JSON.stringify(rig.address), rig.folder, 'manifest-2'], { execArgv: [] });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  }
  await rig.dispatcher();
  const job = await rig.finished(id);
  expect(job).toMatchObject({ state: 'failed', scanned: false, error: { code: 'dispatcher_lost' } });
});

test('a job that is cancelled while its source is scanned ends, and no more of it is scanned', async () => {
  const { id } = await inMidScan();
  await rig.queue.cancel(id);
  expect(await rig.finished(id)).toMatchObject({ state: 'cancelled', scanned: false });
});

test('a source that is gone in mid-scan fails the job with what is stored of it', async () => {
  const { id, threads } = await inMidScan();
  const record = await rig.queue.getSubmission(id);
  if (record?.source.kind === 'file') await rig.spool.removeSource(record.source);
  threads.held.resolve();
  const job = await rig.finished(id);
  expect(job).toMatchObject({ state: 'failed', error: { code: 'source_unreadable' } });
  expect(job.stored).toBe(job.done);
});

test('a share of failures is judged once all documents are counted', async () => {
  const threads = new HeldThreads(rig.spool);
  rig.onClose(() => threads.close());
  await rig.worker((shard) =>
    Promise.resolve(
      shard.index > 0 ? stored(shard) : { ...stored(shard), stored: 0, failed: shard.range.documents },
    ),
  );
  await rig.dispatcher({ threads });
  const jobs = await Promise.all(
    [0.01, 0.9].map((maxFailures) => rig.submit(DOCUMENTS, { sections: SECTIONS, maxFailures })),
  );
  const areBegun = async (): Promise<boolean> => {
    const begun = await Promise.all(jobs.map((id) => rig.queue.getJob(id)));
    return begun.every((job) => job?.state === 'running' && job.failed > 0);
  };
  await expect.poll(areBegun).toBe(true);
  threads.held.resolve();
  const [few, many] = await Promise.all(jobs.map((id) => rig.finished(id)));
  expect(few).toMatchObject({ state: 'failed', error: { code: 'too_many_failures' } });
  expect(many).toMatchObject({ state: 'completed' });
});

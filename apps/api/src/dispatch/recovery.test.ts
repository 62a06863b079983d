import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  NO_COUNTS,
  DEFAULT_TENANT,
  isFinished,
  pointId,
  type CollectionName,
  type DocumentId,
  type Job,
  type JobId,
  type Verification,
} from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { readShardLines } from '@embedmill/sources';
import { MINI } from '../testing/fake-worker.ts';
import { recoverJobs } from './recovery.ts';
import { storedPayload } from '../testing/stored-payload.fixture.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

const NAME = 'docs' as CollectionName;
/** The third line is not a document, so that the source is kept after the job has finished. */
const LINES = ['{"id":"a","text":"x"}', '{"id":"b","text":"y"}', '{"id":"c"}', '{"id":"a","text":"z"}'];

let api: TestApi;
let redis: Redis;

beforeEach(async () => {
  api = await startTestApi();
  redis = new Redis(api.redisUrl);
  await api.json('POST', '/api/v1/collections', { name: NAME });
});
afterEach(async () => {
  redis.disconnect();
  await api.close();
});

async function submit(lines: string[] = LINES, headers = {}): Promise<Job> {
  return (await (await api.submit(NAME, `${lines.join('\n')}\n`, headers)).json()) as Job;
}

const jobs = async () => (await api.json('GET', '/api/v1/jobs')).body as { jobs: Job[] };
const verify = async (id: string) =>
  (await api.json('POST', `/api/v1/jobs/${id}/verify`)).body as Verification;

async function finished(id: string): Promise<Job> {
  for (const deadline = Date.now() + 90_000; Date.now() < deadline; await setTimeout(20)) {
    const { body } = await api.json('GET', `/api/v1/jobs/${id}`);
    if (isFinished((body as Job).state)) return body;
  }
  throw new Error('the job did not finish');
}

/** A fake worker: it reports that it stored and deleted everything, but only stores what `stores` names. */
async function work(stores: readonly string[]): Promise<void> {
  await api.dispatch();
  const { store, spool } = api.parts;
  const shared = { redisUrl: api.redisUrl, shardConcurrency: 1, queryConcurrency: 1, lockMs: 2000 };
  const worker = await ModelConsumer.open({ ...shared, onError: () => {} });
  api.onClose(() => worker.close());
  worker.serve(MINI.name, {
    query: () => Promise.reject(new Error('no queries here')),
    async shard(shard) {
      const read = (await Array.fromAsync(readShardLines(spool, shard))).flat();
      const failures = read.flatMap((one) => (one.kind === 'invalid' ? [one.report] : []));
      const ids = read.flatMap((one) => (one.kind === 'document' ? [one.document.id] : []));
      await spool.writeReports(shard.job as JobId, 'failures', shard.index, failures);
      const deleted = read.filter(({ kind }) => kind === 'tombstone').length;
      const kept = ids.filter((id) => stores.includes(id));
      await store.replaceDocuments(
        NAME,
        kept.map((id) => documentOf(id, shard.job as JobId)),
      );
      const counts = {
        stored: ids.length,
        failed: failures.length,
        deleted,
        duplicates: read.length - ids.length - failures.length - deleted,
      };
      return {
        ...NO_COUNTS,
        index: shard.index,
        documents: read.length,
        ...counts,
      };
    },
  });
}

function documentOf(id: DocumentId, job: JobId) {
  const dense = new Float32Array(384).fill(1 / Math.sqrt(384));
  const payload = storedPayload(id, id, { end: 1, job_id: job });
  return {
    id,
    tenant: DEFAULT_TENANT,
    sequence: 1,
    points: [{ id: pointId(DEFAULT_TENANT, NAME, id, 0), dense, payload }],
  };
}

test('a job that the queue lost is submitted again, once, however often and under its own id', async () => {
  const job = await submit();
  await redis.flushall();
  expect((await jobs()).jobs).toEqual([]);
  await Promise.all([recoverJobs(api.parts), recoverJobs(api.parts)]);
  const recovered = { id: job.id, state: 'queued', source: 'upload', sequence: job.sequence };
  expect((await jobs()).jobs).toMatchObject([recovered]);
  expect((await submit()).sequence).toBeGreaterThan(job.sequence);
  await work(['a', 'b']);
  expect(await finished(job.id)).toMatchObject({ state: 'completed', documents: 4, stored: 2, failed: 1 });
});

test('a job that has finished is not submitted again when the queue forgets it', async () => {
  const job = await submit();
  await work(['a', 'b']);
  await finished(job.id);
  for (const deadline = Date.now() + 90_000; (await api.parts.spool.unfinishedJobs()).length > 0;) {
    if (Date.now() > deadline) throw new Error('the job is still kept as unfinished');
    await setTimeout(10);
  }
  await redis.flushall();
  await recoverJobs(api.parts);
  expect((await jobs()).jobs).toEqual([]);
});

test('verify submits a job again that the queue lost', async () => {
  const job = await submit();
  await redis.flushall();
  expect(await verify(job.id)).toMatchObject({ job: job.id, recovered: true, state: 'queued', missing: 0 });
  expect(await verify(job.id)).toMatchObject({ recovered: false });
  expect((await api.json('POST', '/api/v1/jobs/job_none/verify')).status).toBe(404);
});

test('verify finds documents that the store lost, and submits them as a job', async () => {
  const job = await submit();
  await work(['b']);
  await finished(job.id);
  const later = await submit(['{"id":"b","text":"newer"}']);
  expect(later.sequence).toBeGreaterThan(job.sequence);
  const found = await verify(job.id);
  expect(found).toMatchObject({
    state: 'completed',
    recovered: false,
    documents: 3,
    stored: 1,
    failed: 1,
    missing: 1,
    missingIds: ['a'],
  });
  const again = await finished(found.resubmitted ?? '');
  expect(again).toMatchObject({ retryOf: job.id, documents: 1, stored: 1, sequence: job.sequence });
});

test('verify finds documents that should be deleted but exist, and submits their deletion as a job', async () => {
  await api.parts.store.replaceDocuments(NAME, [documentOf('b' as DocumentId, 'job_0' as JobId)]);
  const job = await submit([...LINES.slice(0, 3), '{"id":"b","deleted":true}', '{"id":"d","deleted":true}']);
  await work(['a']);
  expect(await finished(job.id)).toMatchObject({ stored: 1, deleted: 2, duplicates: 1, failed: 1 });
  const found = await verify(job.id);
  expect(found).toMatchObject({ documents: 4, stored: 1, deleted: 1, failed: 1, missingIds: ['b'] });
  expect(await finished(found.resubmitted ?? '')).toMatchObject({ retryOf: job.id, deleted: 1 });
});

test('a job whose documents went when all were stored says that there is nothing to compare with', async () => {
  const job = await submit(LINES.slice(0, 2));
  await work(['a', 'b']);
  await finished(job.id);
  for (const deadline = Date.now() + 90_000; ; await setTimeout(10)) {
    if (!(await readdir(join(api.spoolFolder, job.id))).some((name) => name.startsWith('source'))) break;
    if (Date.now() > deadline) throw new Error('the source is still there');
  }
  const { status, body } = await api.json('POST', `/api/v1/jobs/${job.id}/verify`);
  expect(status).toBe(422);
  expect(body).toMatchObject({
    code: 'source_unreadable',
    detail: expect.stringContaining('submit them again'),
  });
});

test('a Redis without memory takes no jobs and says when to try again; nothing is left of them', async () => {
  const kept = await submit(LINES, { 'idempotency-key': 'early' });
  await redis.config('SET', 'maxmemory', '1');
  const refused = await api.submit(NAME, `${LINES.join('\n')}\n`);
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('30');
  expect(await refused.json()).toMatchObject({ code: 'queue_full', retryable: true });
  expect(await submit(LINES, { 'idempotency-key': 'early' })).toMatchObject({ id: kept.id });
  expect(await api.parts.spool.unfinishedJobs()).toEqual([kept.id]);
  expect((await readdir(api.spoolFolder)).sort()).toEqual([kept.id, 'unfinished']);
  await redis.config('SET', 'maxmemory', '0');
  expect(await submit()).toMatchObject({ state: 'queued' });
});

test('a record that cannot be read keeps no other job from being recovered', async () => {
  const job = await submit();
  await api.parts.spool.keepRecord('job_0' as JobId, { state: 'queued' }, 'unfinished');
  await redis.flushall();
  await recoverJobs(api.parts);
  expect((await jobs()).jobs).toMatchObject([{ id: job.id }]);
  expect(api.logged.join('')).toContain('cannot recover the job now');
});

test('a queue that cannot take its jobs back has them recovered later', async () => {
  const job = await submit();
  await redis.flushall();
  await redis.config('SET', 'maxmemory', '1');
  await expect(recoverJobs(api.parts)).rejects.toMatchObject({ code: 'queue_full' });
  await redis.config('SET', 'maxmemory', '0');
  await recoverJobs(api.parts);
  expect((await jobs()).jobs).toMatchObject([{ id: job.id }]);
});

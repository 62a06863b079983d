import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  EmbedmillError,
  isFinished,
  type Job,
  type JobId,
  type JobLogLine,
  type Shard,
  type WorkerModel,
} from '@embedmill/jobs';
import { ModelConsumer, newJobId, type IngestRecord } from '@embedmill/queue';
import { failShard } from '@embedmill/sources';
import { failureReasons, type FailureReasons } from './failure-reasons.ts';
import { MINI } from '../testing/fake-worker.ts';
import { jobDetailsOf, servingShards, type JobDetails, type ServingShards } from './job-details.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ config: { prices: new Map([[MINI.name, 2]]) } });
  await api.json('POST', '/api/v1/collections', { name: 'docs' });
});
afterAll(() => api.close());

async function submitted(lines: string): Promise<string> {
  return ((await (await api.submit('docs', lines)).json()) as Job).id;
}

async function details(id: string): Promise<JobDetails> {
  return (await api.json('GET', `/api/v1/jobs/${id}/details`)).body;
}

const waitCode = async (id: string) => (await details(id)).waitsFor?.code;

test('a job says what it waits for, and once it has ended, where its time went and what it cost', async () => {
  const id = await submitted('{"id":"a","text":"x"}\n{"id":"b"}\n');
  expect(await waitCode(id)).toBe('its_turn');
  await api.dispatch();
  await expect.poll(() => waitCode(id), { timeout: 60_000 }).toBe('no_worker');
  await expect
    .poll(async () => (await details(id)).shards, { timeout: 60_000 })
    .toEqual({ all: 1, queued: 1, settled: 0 });
  await api.json('POST', '/api/v1/queue/pause');
  expect(await waitCode(id)).toBe('queue_paused');
  await api.json('POST', '/api/v1/queue/resume');

  const own = { shardConcurrency: 1, queryConcurrency: 1, lockMs: 5000, models: [MINI.name] };
  const worker = await ModelConsumer.open({ redisUrl: api.redisUrl, ...own, onError: () => {} });
  api.onClose(() => worker.close());
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  expect(await waitCode(id)).toBe('model_loading');
  worker.serve(MINI.name, {
    query: () => Promise.reject(new Error('no queries here')),
    shard: async (shard: Shard) => {
      begun.resolve();
      await release.promise;
      const failed = await failShard(api.parts.spool, shard, new EmbedmillError('engine_failed', 'it died'));
      return { ...failed, tokens: 500_000, engineMs: 1500, stageMs: { read: 20, infer: 1480 } };
    },
  });
  await begun.promise;
  // Knowledge of which workers serve the model is cached for a second.
  await expect.poll(() => waitCode(id), { timeout: 60_000 }).toBeUndefined();
  release.resolve();
  const state = async () => ((await api.json('GET', `/api/v1/jobs/${id}`)).body as Job).state;
  await expect.poll(async () => isFinished(await state()), { timeout: 60_000 }).toBe(true);
  expect(await details(id)).toEqual({
    waitsFor: null,
    shards: { all: 1, queued: 0, settled: 1 },
    stages: [
      { stage: 'read', seconds: 0.02 },
      { stage: 'infer', seconds: 1.48 },
    ],
    usage: { documents: 2, tokens: 500_000, engineSeconds: 1.5, cost: 1 },
  });
  const { reasons, unnamed } = (await api.json('GET', `/api/v1/jobs/${id}/failure-reasons`))
    .body as FailureReasons;
  expect(unnamed).toBe(0);
  expect(reasons.map(({ code, documents, samples }) => [code, documents, samples[0]?.line])).toEqual(
    expect.arrayContaining([
      ['engine_failed', 1, 1],
      ['missing_text', 1, 2],
    ]),
  );
});

test('a job that does not exist has no details', async () => {
  for (const what of ['details', 'failure-reasons'])
    expect((await api.json('GET', `/api/v1/jobs/${newJobId()}/${what}`)).status).toBe(404);
});

test('a running job with nothing on the queue waits for room', async () => {
  const id = await submitted('{"id":"c","text":"x"}\n');
  const record = await api.parts.queue.getSubmission(id as JobId);
  const running: IngestRecord = {
    ...record!,
    state: 'running',
    progress: { ...record!.progress, shards: 5, shardsDone: 2 },
    cursor: { index: 2, offset: 0 },
  };
  const job = { state: 'running' as const, waitingFor: null };
  const waits = (changed: IngestRecord, serving: ServingShards = 'serving') =>
    jobDetailsOf(job, changed, serving, new Map()).waitsFor?.code;
  expect(waits(running)).toBe('room');
  expect(waits({ ...running, cursor: { index: 3, offset: 0 } })).toBeUndefined();
  expect(waits({ ...running, cursor: { index: 3, offset: 0 } }, 'queries')).toBe('no_worker');
});

test('workers that only answer queries do not count for a job, unless another one takes its shards', () => {
  const worker = (mostShards: number, state: WorkerModel['state'], model = 'm') => ({
    mostShards,
    models: [{ model, state } as WorkerModel],
  });
  expect(servingShards('m', 'serving', [worker(0, 'serving')])).toBe('queries');
  expect(servingShards('m', 'serving', [worker(0, 'serving'), worker(4, 'serving', 'other')])).toBe(
    'queries',
  );
  expect(servingShards('m', 'serving', [worker(0, 'serving'), worker(4, 'serving')])).toBe('serving');
  expect(servingShards('m', 'loading', [worker(0, 'loading')])).toBe('loading');
  expect(servingShards('m', 'serving', [])).toBe('serving');
});

test('failures are grouped by reason, with samples of each, and those that are not listed are counted', async () => {
  const report = (line: number, code: string) =>
    JSON.stringify({ line, id: `d${line}`, code, message: code, retryable: false, offset: 0, length: 1 });
  async function* reports() {
    yield Buffer.from(`${Array.from({ length: 9 }, (_, n) => report(n + 1, 'missing_text')).join('\n')}\n`);
    yield Buffer.from(`${report(10, 'engine_failed')}\n{"more":3}\n`);
  }
  const { reasons, unnamed } = await failureReasons(reports());
  expect(reasons.map(({ code, documents, samples }) => [code, documents, samples.length])).toEqual([
    ['missing_text', 9, 5],
    ['engine_failed', 1, 1],
  ]);
  expect(unnamed).toBe(3);
});

test('the log of a job says what happened to it, and which job retried it', async () => {
  const id = await submitted('{"id":"a","text":"x"}\nno json\n');
  const eventsOf = async (job: string) =>
    ((await api.json('GET', `/api/v1/jobs/${job}/log`)).body as { lines: JobLogLine[] }).lines.map(
      ({ level, event }) => `${level} ${event}`,
    );
  await expect
    .poll(() => eventsOf(id), { timeout: 60_000 })
    .toEqual(['info accepted', 'info scan_began', 'info scan_ended', 'warn ended']);
  const retry = (await api.json('POST', `/api/v1/jobs/${id}/retry`)).body as Job;
  await expect.poll(async () => (await eventsOf(id)).at(-1)).toBe('info retried');
  await expect.poll(async () => (await eventsOf(retry.id)).at(-1), { timeout: 60_000 }).toBe('warn ended');
  const { lines } = (await api.json('GET', `/api/v1/jobs/${id}/log`)).body as { lines: JobLogLine[] };
  expect(lines.at(-1)?.text).toContain(retry.id);
  expect(await api.json('GET', '/api/v1/jobs/job_0/log')).toMatchObject({ status: 404 });
});

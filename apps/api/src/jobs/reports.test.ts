import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { EmbedmillError, isFinished, type DocumentReport, type Job, type MoreReports } from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { failShard } from '@embedmill/sources';
import { MINI } from '../testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
afterEach(() => api.close());

/** The API, a dispatcher, and a worker that fails all documents of every shard. */
async function start(maxReports?: number): Promise<void> {
  api = await startTestApi();
  await api.dispatch(maxReports === undefined ? {} : { maxReports });
  const worker = await ModelConsumer.open({
    redisUrl: api.redisUrl,
    shardConcurrency: 4,
    queryConcurrency: 1,
    lockMs: 5000,
    onError: () => {},
  });
  api.onClose(() => worker.close());
  const error = new EmbedmillError('engine_failed', 'the model did not answer');
  worker.serve(MINI.name, {
    shard: (shard) => failShard(api.parts.spool, shard, error),
    query: () => Promise.reject(new Error('no queries here')),
  });
  await api.json('POST', '/api/v1/collections', { name: 'docs' });
}

async function finished(response: Response): Promise<Job> {
  const { id } = (await response.json()) as Job;
  let job: Job | undefined;
  const isOver = async () => {
    job = (await api.json('GET', `/api/v1/jobs/${id}`)).body as Job;
    return isFinished(job.state);
  };
  await expect.poll(isOver, { timeout: 120_000 }).toBe(true);
  return job as unknown as Job;
}

async function reportsOf({ id }: Job): Promise<(DocumentReport | MoreReports)[]> {
  const text = await (await api.call(`/api/v1/jobs/${id}/failures`)).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as DocumentReport | MoreReports);
}

test('fifty thousand lines in some hundred bytes leave a bounded number of reports', async () => {
  await start();
  const lines = 50_000;
  const body = gzipSync('x\n'.repeat(lines));
  expect(body.length).toBeLessThan(1000);
  const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
  const job = await finished(
    await api.call('/api/v1/collections/docs/jobs', { method: 'POST', body, headers }),
  );
  expect(job).toMatchObject({ state: 'completed', documents: lines, failed: lines });
  const reports = await reportsOf(job);
  expect(reports).toHaveLength(10_001);
  expect(reports[0]).toMatchObject({ line: 1, code: 'malformed_json' });
  expect(reports.at(-1)).toEqual({ more: lines - 10_000 });
  const folder = join(api.spoolFolder, job.id, 'failures');
  const files = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))));
  expect(files.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(4_100_000);
});

test('a retry tries all failed documents again, also those that are not listed', async () => {
  await start(20);
  const ndjson = Array.from({ length: 700 }, (_, n) => `{"id":"d${n}","text":"text ${n}"}\n`).join('');
  const job = await finished(await api.submit('docs', ndjson));
  expect(job).toMatchObject({ documents: 700, failed: 700 });
  expect((await reportsOf(job)).at(-1)).toEqual({ more: 680 });
  const retry = await api.call(`/api/v1/jobs/${job.id}/retry`, { method: 'POST' });
  expect(await finished(retry)).toMatchObject({ retryOf: job.id, documents: 700, failed: 700 });
});

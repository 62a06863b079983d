import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  NO_COUNTS,
  isFinished,
  type DocumentReport,
  type Job,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { readDocumentLine, readLines, reportOf } from '@embedmill/sources';
import { MINI } from '../testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
/** What the fake worker does before it settles a shard. */
let hold: Promise<void> = Promise.resolve();

beforeAll(async () => {
  api = await startTestApi();
  await api.dispatch();
  const worker = await ModelConsumer.open({
    redisUrl: api.redisUrl,
    shardConcurrency: 2,
    queryConcurrency: 1,
    lockMs: 5000,
    onError: () => {},
  });
  api.onClose(() => worker.close());
  worker.serve(MINI.name, { shard: settle, query: () => Promise.reject(new Error('no queries here')) });
  for (const name of ['docs', 'others']) await api.json('POST', '/api/v1/collections', { name });
});
afterAll(() => api.close());

/** A fake worker: every readable document counts as stored, others go to the failures; `warn` warns. */
async function settle(shard: Shard): Promise<ShardResult> {
  await hold;
  const failures: DocumentReport[] = [];
  const warnings: DocumentReport[] = [];
  for await (const group of readLines(
    api.parts.spool.readSource(shard.source, shard.range.offset, shard.range.length),
    shard.range,
  )) {
    for (const line of group) {
      const read = readDocumentLine(line, shard.collection.profile);
      if (read.kind === 'invalid') failures.push(read.report);
      else if (read.kind === 'document' && read.document.id === 'warn') {
        warnings.push(reportOf(line, 'warn', { code: 'text_truncated', message: 'cut' }));
      }
    }
  }
  await api.parts.spool.writeReports(shard.job as JobId, 'failures', shard.index, failures);
  await api.parts.spool.writeReports(shard.job as JobId, 'warnings', shard.index, warnings);
  const { documents } = shard.range;
  const stored = documents - failures.length;
  return {
    ...NO_COUNTS,
    index: shard.index,
    documents,
    stored,
    failed: failures.length,
    truncated: warnings.length,
    chunks: stored,
    tokens: stored * 3,
  };
}

const jobAt = async (id: string) => (await api.json('GET', `/api/v1/jobs/${id}`)).body as Job;

async function submit(ndjson: string, collection = 'docs'): Promise<Job> {
  return (await (await api.submit(collection, ndjson)).json()) as Job;
}

async function finished(job: Job): Promise<Job> {
  await expect.poll(async () => isFinished((await jobAt(job.id)).state), { timeout: 60_000 }).toBe(true);
  return jobAt(job.id);
}

const GOOD = '{"id":"a","text":"one"}\n';
const BAD = '{"id":"b"}\n{"id":"warn","text":"two"}\nnot json\n';

test('a job is counted to its end, and its failures and warnings are NDJSON', async () => {
  const job = await finished(await submit(GOOD + BAD));
  expect(job).toMatchObject({
    state: 'completed',
    documents: 4,
    done: 4,
    stored: 2,
    failed: 2,
    truncated: 1,
  });
  const failures = await api.call(`/api/v1/jobs/${job.id}/failures`);
  expect(failures.headers.get('content-type')).toBe('application/x-ndjson');
  const lines = (await failures.text()).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as DocumentReport)).toMatchObject([
    { line: 2, id: 'b', code: 'missing_text', retryable: false },
    { line: 4, id: null, code: 'malformed_json' },
  ]);
  const warnings = await (await api.call(`/api/v1/jobs/${job.id}/warnings`)).text();
  expect(JSON.parse(warnings)).toMatchObject({ line: 3, id: 'warn', code: 'text_truncated' });
  const none = await finished(await submit(GOOD));
  expect(await (await api.call(`/api/v1/jobs/${none.id}/failures`)).text()).toBe('');
});

test('a retry is a new job of just the failed documents', async () => {
  const job = await finished(await submit(GOOD + BAD));
  const retry = await api.json('POST', `/api/v1/jobs/${job.id}/retry`);
  expect(retry).toMatchObject({
    status: 202,
    body: { retryOf: job.id, collection: 'docs', source: 'upload' },
  });
  const again = retry.body as Job;
  expect(again.id).not.toBe(job.id);
  expect(retry.headers.get('location')).toBe(`/api/v1/jobs/${again.id}`);
  expect(await finished(again)).toMatchObject({ state: 'completed', documents: 2, failed: 2 });
  const third = await api.json('POST', `/api/v1/jobs/${again.id}/retry`);
  expect(await finished(third.body as Job)).toMatchObject({ documents: 2, failed: 2, retryOf: again.id });
});

test('some failures are retried by their reasons, lines or ids, and the others are not', async () => {
  const job = await finished(await submit(GOOD + BAD));
  const retry = (selection: object) => api.json('POST', `/api/v1/jobs/${job.id}/retry`, selection);
  const failuresOf = async (selection: object) => {
    const { status, body } = await retry(selection);
    expect(status).toBe(202);
    const again = await finished(body as Job);
    expect(again).toMatchObject({ retryOf: job.id, documents: 1, failed: 1 });
    const text = await (await api.call(`/api/v1/jobs/${again.id}/failures`)).text();
    return (JSON.parse(text) as DocumentReport).code;
  };
  expect(await failuresOf({ codes: ['malformed_json'] })).toBe('malformed_json');
  expect(await failuresOf({ lines: [2, 3] })).toBe('missing_text');
  expect(await failuresOf({ ids: ['b', 'a'] })).toBe('missing_text');
  for (const none of [{ codes: ['worker_lost'] }, { lines: [1] }, { codes: ['malformed_json'], ids: ['b'] }])
    expect(await retry(none)).toMatchObject({ status: 409, body: { code: 'nothing_to_retry' } });
  for (const bad of [{ codes: [] }, { codes: ['no_such_code'] }, { lines: ['2'] }, { reasons: ['x'] }])
    expect(await retry(bad)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});

test('the failures of inline documents can be retried too', async () => {
  const documents = [{ id: 'a', text: 'x' }];
  const { body } = await api.json('POST', '/api/v1/collections/docs/jobs', { documents });
  const job = await finished(body as Job);
  expect(await api.json('POST', `/api/v1/jobs/${job.id}/retry`)).toMatchObject({
    status: 409,
    body: { code: 'nothing_to_retry' },
  });
});

test('a running job can be cancelled and not retried; a finished one cannot be cancelled', async () => {
  const release = Promise.withResolvers<void>();
  hold = release.promise;
  const job = await submit(GOOD.repeat(2000));
  await expect.poll(async () => (await jobAt(job.id)).state, { timeout: 60_000 }).toBe('running');
  const retry = await api.json('POST', `/api/v1/jobs/${job.id}/retry`);
  expect(retry).toMatchObject({ status: 409, body: { code: 'job_not_finished', retryable: true } });
  expect(Number(retry.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await api.json('POST', `/api/v1/jobs/${job.id}/cancel`)).toMatchObject({
    status: 202,
    body: { id: job.id },
  });
  release.resolve();
  expect(await finished(job)).toMatchObject({ state: 'cancelled' });
  const again = await api.json('POST', `/api/v1/jobs/${job.id}/cancel`);
  expect(again).toMatchObject({ status: 409, body: { code: 'job_finished' } });
});

test('a job has the priority that it was submitted with, and another one when it is asked to, until it has finished', async () => {
  const priorityOf = async (query: string, body: object) =>
    ((await api.json('POST', `/api/v1/collections/docs/jobs${query}`, body)).body as Job).priority;
  const documents = [{ id: 'a', text: 'x' }];
  expect(await priorityOf('', { documents })).toBe('normal');
  expect(await priorityOf('', { documents, priority: 'background' })).toBe('background');
  expect(await priorityOf('?priority=urgent', { documents })).toBe('urgent');
  const wrong = await api.json('POST', '/api/v1/collections/docs/jobs', { documents, priority: 'high' });
  expect(wrong).toMatchObject({ status: 400, body: { errors: [{ path: 'priority' }] } });

  const release = Promise.withResolvers<void>();
  hold = release.promise;
  const job = await submit(GOOD.repeat(2000));
  const ask = (priority: string) => api.json('PATCH', `/api/v1/jobs/${job.id}`, { priority });
  expect(await ask('background')).toMatchObject({
    status: 200,
    body: { id: job.id, priority: 'background' },
  });
  expect((await jobAt(job.id)).priority).toBe('background');
  expect(await ask('soon')).toMatchObject({ status: 400, body: { errors: [{ path: 'priority' }] } });
  release.resolve();
  expect(await finished(job)).toMatchObject({ state: 'completed', priority: 'background', failed: 0 });
  expect(await ask('urgent')).toMatchObject({ status: 409, body: { code: 'job_finished' } });
  const none = await api.json('PATCH', '/api/v1/jobs/job_none', { priority: 'urgent' });
  expect(none).toMatchObject({ status: 404, body: { code: 'job_not_found' } });
});

test('jobs are listed by collection and state, the newest first, in pages', async () => {
  const first = await finished(await submit(GOOD, 'others'));
  const second = await finished(await submit(GOOD, 'others'));
  const page = async (query: string) =>
    (await api.json('GET', `/api/v1/jobs?${query}`)).body as { jobs: Job[]; next: string | null };
  const ids = async (query: string) => (await page(query)).jobs.map(({ id }) => id);
  expect(await ids('collection=others')).toEqual([second.id, first.id]);
  const { next } = await page('collection=others&limit=1');
  expect(await page(`collection=others&limit=1&after=${next}`)).toMatchObject({
    jobs: [{ id: first.id }],
    next: null,
  });
  expect(await ids(`collection=others&text=${first.id.slice(-8)}`)).toEqual([first.id]);
  expect(await ids('collection=others&source=upload')).toEqual([second.id, first.id]);
  expect(await ids('collection=others&source=elsewhere')).toEqual([]);
  expect(await ids('tenant=acme')).toEqual([]);
  expect(await ids('collection=others&state=running')).toEqual([]);
  expect(await ids('collection=others&state=completed')).toHaveLength(2);
  for (const query of ['state=asleep', 'limit=0', 'limit=many', 'colection=x', 'after=1', 'offset=1']) {
    expect(await api.json('GET', `/api/v1/jobs?${query}`)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ path: query.split('=')[0] }] },
    });
  }
});

test.each([
  ['GET', ''],
  ['GET', '/failures'],
  ['GET', '/warnings'],
  ['GET', '/events'],
  ['POST', '/cancel'],
  ['POST', '/retry'],
])('%s /jobs/none%s gives 404', async (method, path) => {
  for (const id of ['job_none', '..%2Fother', 'a'.repeat(300)]) {
    expect(await api.json(method, `/api/v1/jobs/${id}${path}`)).toMatchObject({
      status: 404,
      body: { code: 'job_not_found' },
    });
  }
});

test('a finished job can be forgotten, with all that is kept of it', async () => {
  const job = await finished(await submit(GOOD + BAD));
  const forget = () => api.json('DELETE', `/api/v1/jobs/${job.id}`);
  await expect.poll(async () => (await forget()).status, { timeout: 60_000 }).toBe(204);
  expect(await forget()).toMatchObject({ status: 404, body: { code: 'job_not_found' } });
  expect((await api.json('GET', `/api/v1/jobs/${job.id}/failures`)).status).toBe(404);
  expect((await api.parts.spool.listJobs()).map((one) => one.job)).not.toContain(job.id);
});

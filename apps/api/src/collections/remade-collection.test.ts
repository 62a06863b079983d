import { afterEach, beforeEach, expect, test } from 'vitest';
import { isFinished, type Job, type JobId } from '@embedmill/jobs';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** A collection that is deleted and created again is a different one: nothing accepted before is written to it. */
let api: TestApi;

beforeEach(async () => {
  api = await startTestApi();
  await api.json('POST', '/api/v1/collections', { name: 'docs' });
});
afterEach(() => api.close());

async function remake(): Promise<void> {
  expect((await api.json('DELETE', '/api/v1/collections/docs')).status).toBe(204);
  expect((await api.json('POST', '/api/v1/collections', { name: 'docs' })).status).toBe(201);
}

test('neither a retry nor a verification of a job of the former one is accepted', async () => {
  await api.dispatch();
  const job = (await (await api.submit('docs', '{"id":"a"}\n')).json()) as Job;
  const now = async () => (await api.json('GET', `/api/v1/jobs/${job.id}`)).body as Job;
  await api.parts.queue.cancel(job.id as JobId).catch(() => undefined);
  await expect.poll(async () => isFinished((await now()).state), { timeout: 20_000 }).toBe(true);
  await remake();
  for (const action of ['retry', 'verify']) {
    const { status, body } = await api.json('POST', `/api/v1/jobs/${job.id}/${action}`);
    expect({ status, body }, action).toMatchObject({ status: 404, body: { code: 'collection_not_found' } });
    expect((body as { detail: string }).detail).toContain('created again');
  }
});

test('an earlier Idempotency-Key has no meaning in the new collection', async () => {
  const submit = () => api.submit('docs', '{"id":"a","text":"x"}\n', { 'idempotency-key': 'nightly' });
  const first = await submit();
  expect(first.status).toBe(202);
  const former = (await first.json()) as Job;
  await remake();
  const again = await submit();
  expect(again.status).toBe(202);
  const job = (await again.json()) as Job;
  expect(job.id).not.toBe(former.id);
  const repeated = await submit();
  expect(repeated.status).toBe(200);
  expect(await repeated.json()).toMatchObject({ id: job.id });
});

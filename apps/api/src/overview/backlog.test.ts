import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { MINI } from '../testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

interface Work {
  tokens: number;
  documents: number;
  shards: number;
}
type Backlog = Work & { paused: boolean; models: (Work & { model: string })[] };

const backlog = async (query = ''): Promise<Backlog> => {
  const { status, body } = await api.json('GET', `/api/v1/backlog${query}`);
  expect(status).toBe(200);
  return body;
};
const documents = (count: number) =>
  Array.from({ length: count }, (_, n) => `{"id":"d${n}","text":"a text, number ${n}"}\n`).join('');

test('the backlog is what unfinished jobs have left to do, is 0 while paused, and can be scraped', async () => {
  await api.json('POST', '/api/v1/collections', { name: 'docs' });
  expect(await backlog()).toMatchObject({ tokens: 0, documents: 0, shards: 0, paused: false });

  const sent = documents(1000);
  const job = (await (await api.submit('docs', sent)).json()) as Job;
  // No dispatcher has taken it yet.
  const queued = await backlog();
  expect(queued).toMatchObject({ tokens: Math.ceil(sent.length / 4), documents: 0 });
  expect(queued.models).toEqual([{ model: MINI.name, tokens: queued.tokens, documents: 0, shards: 0 }]);

  await api.dispatch();
  for (const deadline = Date.now() + 90_000; (await backlog()).documents === 0; await setTimeout(20))
    if (Date.now() > deadline) throw new Error('the job was not scanned within 90 s');
  expect(await backlog()).toEqual({
    tokens: queued.tokens,
    documents: 1000,
    shards: 4,
    paused: false,
    models: [{ model: MINI.name, tokens: queued.tokens, documents: 1000, shards: 4 }],
  });
  expect(await backlog(`?model=${MINI.name}`)).toEqual(await backlog());
  expect(await backlog('?model=else')).toMatchObject({ tokens: 0, models: [{ model: 'else', tokens: 0 }] });
  const metrics = async () => (await api.call('/metrics')).text();
  expect(await metrics()).toContain(`embedmill_backlog_tokens{model="${MINI.name}"} ${queued.tokens}\n`);
  expect(await metrics()).toContain(`embedmill_backlog_documents{model="${MINI.name}"} 1000\n`);

  expect(await api.json('POST', '/api/v1/queue/pause')).toMatchObject({
    status: 200,
    body: { paused: true },
  });
  expect(await backlog()).toMatchObject({ tokens: 0, documents: 1000, paused: true });
  expect(await metrics()).toContain(`embedmill_backlog_tokens{model="${MINI.name}"} 0\n`);
  expect(await metrics()).toContain('embedmill_queue_paused 1\n');
  expect(await api.json('GET', `/api/v1/jobs/${job.id}`)).toMatchObject({
    body: { state: 'running', paused: true, waitingFor: { code: 'queue_paused' } },
  });
  expect(await api.json('GET', '/api/v1/jobs')).toMatchObject({ body: { jobs: [{ paused: true }] } });

  expect(await api.json('POST', '/api/v1/queue/resume')).toMatchObject({ body: { paused: false } });
  expect(await backlog()).toMatchObject({ tokens: queued.tokens, paused: false });
  expect(await api.json('GET', `/api/v1/jobs/${job.id}`)).toMatchObject({
    body: { paused: false, waitingFor: null },
  });
});

test('an unknown parameter is refused', async () => {
  expect(await api.json('GET', '/api/v1/backlog?models=x')).toMatchObject({
    status: 400,
    body: { code: 'invalid_request' },
  });
});

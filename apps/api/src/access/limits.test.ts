import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import type { LimitOptions } from './limits.ts';
import { testKeys, type TestKeys } from './test-keys.ts';

const WAIT = { timeout: 60_000 };
let keys: TestKeys;
let api: TestApi | undefined;
beforeEach(async () => {
  keys = await testKeys();
});
afterEach(async () => {
  await api?.close();
  api = undefined;
  await keys.remove();
});

/** An API whose searches are never answered: they are in flight until their clients disconnect. */
async function start(limits: Partial<LimitOptions>, withKeys = false): Promise<TestApi> {
  api = await startTestApi({
    config: {
      limits: { maxRequests: 100, maxUploads: 100, maxStreams: 100, ...limits },
      queryTimeoutMs: 60_000,
      ...(withKeys && { access: keys.access }),
    },
  });
  await api.ignoreQueries();
  return api;
}

/** A request that lasts until it is aborted. */
function hang(on: TestApi, headers: Record<string, string> = {}) {
  const leave = new AbortController();
  const answer = on.call('/embed', {
    method: 'POST',
    body: '{"inputs":"x"}',
    signal: leave.signal,
    headers: { 'content-type': 'application/json', ...headers },
  });
  answer.catch(() => undefined);
  return { answer, leave: () => leave.abort() };
}

const statusOf = async (on: TestApi, headers: Record<string, string> = {}) =>
  (await on.call('/v1/models', { headers })).status;

test('requests beyond the capacity are refused with Retry-After; health is answered; disconnected clients free their places', async () => {
  const on = await start({ maxRequests: 3 });
  const hanging = [1, 2, 3].map(() => hang(on));
  await expect.poll(() => statusOf(on), WAIT).toBe(429);
  const refused = await on.json('POST', '/api/v1/collections/docs/search', { query: 'x' });
  expect(refused).toMatchObject({ status: 429, body: { code: 'overloaded', retryable: true } });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect((await on.call('/healthz')).status).toBe(200);
  hanging[0]?.leave();
  await expect.poll(() => statusOf(on), WAIT).toBe(200);
  for (const one of hanging) one.leave();
});

test('uploads and event streams have separate limits', async () => {
  const on = await start({ maxRequests: 1, maxUploads: 1 });
  await on.json('POST', '/api/v1/collections', { name: 'docs' });
  const goOn = Promise.withResolvers<void>();
  async function* slowly() {
    yield Buffer.from('{"id":"a","text":"x"}\n');
    await goOn.promise;
  }
  const init = { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, duplex: 'half' };
  const first = on.call('/api/v1/collections/docs/jobs', {
    ...init,
    body: ReadableStream.from(slowly()),
  } as RequestInit);
  const second = () => on.submit('docs', '{"id":"b","text":"x"}\n');
  await expect.poll(async () => (await second()).status, WAIT).toBe(429);
  expect((await second()).headers.get('retry-after')).toBe('1');
  expect(await statusOf(on)).toBe(200);
  goOn.resolve();
  const { status, body } = await first.then(async (response) => ({
    status: response.status,
    body: (await response.json()) as { id: string },
  }));
  expect(status).toBe(202);
  await expect.poll(async () => (await second()).status, WAIT).toBe(202);
  const leave = new AbortController();
  const events = await on.call(`/api/v1/jobs/${body.id}/events`, { signal: leave.signal });
  expect(events.status).toBe(200);
  expect(await statusOf(on)).toBe(200);
  leave.abort();
});

test('a key has its own number of requests at once and a second; others have theirs', async () => {
  const narrow = await keys.add({ name: 'narrow', scopes: ['search'], concurrency: 2 });
  const slow = await keys.add({ name: 'slow', scopes: ['search'], requestsPerSecond: 1 });
  const free = await keys.add({ name: 'free', scopes: ['search'] });
  const on = await start({}, true);
  const of = ({ authorization }: { authorization: string }) => ({ authorization });

  const hanging = [1, 2].map(() => hang(on, of(narrow)));
  await expect.poll(() => statusOf(on, of(narrow)), WAIT).toBe(429);
  const refused = await on.json('GET', '/api/v1/models', undefined, of(narrow));
  expect(refused).toMatchObject({
    status: 429,
    body: { code: 'rate_limited', detail: expect.stringContaining('narrow may have 2 concurrent requests') },
  });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await statusOf(on, of(free))).toBe(200);
  hanging[0]?.leave();
  await expect.poll(() => statusOf(on, of(narrow)), WAIT).toBe(200);

  const began = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => on.json('GET', '/api/v1/models', undefined, of(slow))),
  );
  const taken = answers.filter(({ status }) => status === 200);
  expect(taken.length).toBeGreaterThanOrEqual(1);
  // Each started second takes one.
  expect(taken.length).toBeLessThanOrEqual(Math.ceil((performance.now() - began) / 1000 + 1));
  const late = answers.filter(({ status }) => status === 429);
  expect(late).toHaveLength(30 - taken.length);
  expect(late.length).toBeGreaterThan(0);
  expect(late[0]).toMatchObject({ body: { code: 'rate_limited' } });
  expect(late[0]?.headers.get('retry-after')).toBe('1');
  expect(await statusOf(on, of(free))).toBe(200);
  await expect.poll(() => statusOf(on, of(slow)), WAIT).toBe(200);
  hanging[1]?.leave();
});

test('an overloaded process reports it until it has recovered', async () => {
  const on = await start({ maxDelayMs: 1000 });
  const block = (milliseconds: number) => {
    for (const end = performance.now() + milliseconds; performance.now() < end;);
  };
  const asked = async () => {
    const answer = await on.call('/v1/models');
    return { status: answer.status, retryAfter: answer.headers.get('retry-after') };
  };
  const behind = async () => {
    for (let n = 0; n < 3; n += 1) {
      block(1200);
      await setImmediate();
    }
    return asked();
  };
  await expect.poll(behind, { timeout: 60_000 }).toEqual({ status: 429, retryAfter: '1' });
  expect((await on.call('/healthz')).status).toBe(200);
  await expect.poll(() => statusOf(on), { timeout: 60_000 }).toBe(200);
});

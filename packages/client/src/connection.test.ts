import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClient, type Client } from './index.ts';
import { FakeServer, json, problem, reset, silent } from './fake-server.ts';

let server: FakeServer;
let client: Client;
/** Long enough for a busy machine, short enough to wait for. */
const ANSWER_MS = 1500;
const hits = json({ hits: [] });
const noWorker = problem('no_worker', 503, true);

beforeEach(async () => {
  server = await FakeServer.start();
  client = createClient({ url: server.url, answerMs: ANSWER_MS, pausesMs: [1, 1, 1] });
  server.answers = [json({ aliases: [] })];
  await client.aliases.list();
});
afterEach(() => server.stop());

const search = (of = client) => of.search('c', { query: 'whales' });

test.each([
  ['was slow', [silent]],
  ['broke off', [reset]],
  ['no worker gave', [noWorker]],
  ['was refused for the moment', [problem('overloaded', 429, true, { 'retry-after': '0' })]],
  ['was lost three times, each otherwise,', [reset, noWorker, reset]],
])('a search whose answer %s is asked again', async (_, troubles) => {
  server.answers = [...troubles, hits];
  expect(await search()).toEqual({ hits: [] });
  expect(server.seen).toHaveLength(2 + troubles.length);
});

test('a search whose answer stays away fails, and says why', async () => {
  server.answers = [reset];
  await expect(search()).rejects.toMatchObject({ code: 'unreachable', retryable: true });
  expect(server.seen).toHaveLength(5);
});

test('a refused request is not retried', async () => {
  server.answers = [problem('invalid_request', 400, false)];
  await expect(search()).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'invalid_request indeed',
  });
  expect(server.seen).toHaveLength(2);
});

test('a request that changes something is retried only if nothing was done', async () => {
  server.answers = [problem('rate_limited', 429, true), reset];
  await expect(client.jobs.cancel('j')).rejects.toMatchObject({ code: 'unreachable' });
  expect(server.seen).toHaveLength(3);
});

test('a server that wants to be left alone for long is not waited for', async () => {
  server.answers = [problem('quota_exhausted', 429, true, { 'retry-after': '3600' })];
  await expect(search()).rejects.toMatchObject({ code: 'quota_exhausted', retryAfter: 3600 });
  expect(server.seen).toHaveLength(2);
});

test('a server that never answered is not waited for', async () => {
  server.answers = [reset];
  await expect(search(createClient({ url: server.url }))).rejects.toMatchObject({ code: 'unreachable' });
  expect(server.seen).toHaveLength(2);
});

test('an abort ends the waiting between two tries', async () => {
  const interruption = new AbortController();
  const patient = createClient({ url: server.url, signal: interruption.signal, pausesMs: [3_600_000] });
  server.answers = [json({ aliases: [] }), reset];
  await patient.aliases.list();
  const refused = expect(search(patient)).rejects.toThrow('enough');
  while (server.seen.length < 3) await new Promise((resolve) => setImmediate(resolve));
  interruption.abort(new Error('enough'));
  await refused;
});

test('a server other than embedmill is recognised', async () => {
  server.answers = [(_, response) => void response.end('<html>hello</html>')];
  await expect(search()).rejects.toMatchObject({ code: 'unexpected_answer' });
  server.answers = [(_, response) => void response.writeHead(404).end('<html>not here</html>')];
  await expect(search()).rejects.toMatchObject({ code: 'unexpected_answer', status: 404 });
});

test('the key goes with each request, by the fetch that is given', async () => {
  const asked: Request[] = [];
  const own = createClient({
    url: server.url,
    apiKey: 'em_key',
    fetch: (request, init) => {
      asked.push(request);
      return fetch(request, init);
    },
  });
  await own.aliases.list();
  expect(asked.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer em_key']);
});

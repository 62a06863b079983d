import { afterEach, beforeEach, expect, test } from 'vitest';
import { Client } from './client.ts';
import { FakeApi } from './fake-api.ts';
import { ServerError, Unreachable } from './server-error.ts';

let api: FakeApi;
let client: Client;
const never = new AbortController().signal;
/** Long enough for a busy machine, short enough to wait for. */
const ANSWER_MS = 1500;

beforeEach(async () => {
  api = await FakeApi.start();
  client = new Client(api.url, never, undefined, { answerMs: ANSWER_MS, pausesMs: [1, 1, 1] });
});
afterEach(() => api.stop());

const search = (of = client) => of.search('c', { query: 'whales', limit: 1 });

test.each([
  ['was slow', ['silent']],
  ['broke off', ['reset']],
  ['no worker gave', ['no_worker']],
  ['was lost three times, each otherwise,', ['reset', 'no_worker', 'reset']],
] as const)('a search whose answer %s is asked again', async (_, troubles) => {
  await client.createCollection('c', {});
  api.searchTroubles = [...troubles];
  expect(await search()).toHaveLength(1);
  expect(api.searches).toHaveLength(troubles.length + 1);
});

test('a search whose answer stays away fails, and says why', async () => {
  await client.createCollection('c', {});
  api.searchTroubles = Array.from({ length: 9 }, () => 'reset' as const);
  await expect(search()).rejects.toBeInstanceOf(Unreachable);
  expect(api.searches).toHaveLength(4);
});

test('what the server refuses is not asked again', async () => {
  await client.createCollection('c', {});
  api.searchTroubles = ['refused'];
  await expect(search()).rejects.toBeInstanceOf(ServerError);
  expect(api.searches).toHaveLength(1);
});

test('a server that never answered is not waited for', async () => {
  await client.createCollection('c', {});
  api.searchTroubles = ['reset'];
  await expect(search(new Client(api.url, never))).rejects.toBeInstanceOf(Unreachable);
  expect(api.searches).toHaveLength(1);
});

test('an interruption ends the waiting between two tries', async () => {
  const interruption = new AbortController();
  const patient = new Client(api.url, interruption.signal, undefined, { pausesMs: [3_600_000] });
  await patient.createCollection('c', {});
  api.searchTroubles = ['reset'];
  const searched = search(patient);
  const refused = expect(searched).rejects.toThrow('enough');
  while (api.searches.length === 0) await new Promise((resolve) => setImmediate(resolve));
  interruption.abort(new Error('enough'));
  await refused;
});

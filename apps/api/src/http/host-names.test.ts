import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../config.ts';
import { isLoopback } from '@embedmill/metrics';
import { testKeys } from '../access/test-keys.ts';
import { assertOwnName } from './host-names.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ config: { names: ['search.example'] } });
});
afterAll(() => api.close());

/** The response to a request with this Host; undefined for the API's own address. */
async function asked(host: string, path = '/api/v1/collections'): Promise<{ status: number; body: string }> {
  const sent = request(new URL(path, api.url), { headers: { host } });
  return new Promise((resolve, reject) => {
    sent.on('error', reject).on('response', (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    sent.end();
  });
}

test.each([
  '127.0.0.1',
  '127.0.0.1:7070',
  '[::1]:7070',
  'localhost:7070',
  'LOCALHOST',
  'a.localhost',
  'search.example:80',
])('a request to %s is answered', async (host) => expect((await asked(host)).status).toBe(200));

test.each([
  'attacker.example',
  'attacker.example:7070',
  '127.0.0.1.attacker.example',
  'localhost.attacker.example',
  'notlocalhost',
  'xsearch.example',
])('a page of %s, pointed at this machine, gets nothing, whatever it asks', async (host) => {
  for (const path of ['/api/v1/collections', '/v1/models', '/openapi.json', '/metrics', '/nowhere']) {
    const { status, body } = await asked(host, path);
    expect(status, path).toBe(421);
    expect(body).toContain('EMBEDMILL_API_NAMES');
  }
});

test('host names are checked if the server is only reachable from its machine', () => {
  expect(readConfig({ EMBEDMILL_API_NAMES: 'A.example, b.example' }).names).toEqual([
    'a.example',
    'b.example',
  ]);
  expect(readConfig({}).names).toEqual([]);
  expect(readConfig({ EMBEDMILL_API_HOST: '0.0.0.0', EMBEDMILL_API_INSECURE: 'true' }).names).toBeUndefined();
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1'])
    expect(isLoopback(host), host).toBe(true);
  for (const host of ['[::]', '0.0.0.0', '::', '10.0.0.1', 'example.com'])
    expect(isLoopback(host), host).toBe(false);
});

test('an invalid Host is not this server', () => {
  expect(() => assertOwnName('a b', [])).toThrow(expect.objectContaining({ code: 'misdirected' }));
  expect(() => assertOwnName(undefined, [])).not.toThrow();
});

/** The response to a change with these browser headers. */
async function changed(on: TestApi, headers: Record<string, string>): Promise<number> {
  const sent = request(new URL('/api/v1/queue/resume', on.url), { method: 'POST', headers });
  return new Promise((resolve, reject) => {
    sent.on('error', reject).on('response', (response) => resolve(response.resume().statusCode ?? 0));
    sent.end();
  });
}

describe('without keys, a change', () => {
  const own = () => new URL(api.url).host;
  test.each([
    ['of another site', { origin: 'https://attacker.example' }],
    ['of a page without an origin', { origin: 'null' }],
    ['of a page on another port of this machine', { origin: 'http://127.0.0.1:1' }],
    ['of this address by another protocol’s page', { origin: 'file://127.0.0.1' }],
    ['of what is no origin', { origin: 'x y' }],
    ['that says cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['that says same-site', { 'sec-fetch-site': 'same-site' }],
    ['that says both', { 'sec-fetch-site': 'same-origin, cross-site' }],
  ])('%s is refused', async (_what, headers) => {
    expect(await changed(api, headers as Record<string, string>)).toBe(403);
  });

  test('of a program, of its own page, or of a page of its names is made', async () => {
    for (const headers of [
      {},
      { origin: `http://${own()}`, 'sec-fetch-site': 'same-origin' },
      { origin: 'https://search.example', 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'none' },
    ])
      expect(await changed(api, headers as Record<string, string>), JSON.stringify(headers)).toBe(200);
  });

  test('is refused on every route that changes something', async () => {
    const { paths } = (await (await api.call('/openapi.json')).json()) as { paths: Record<string, object> };
    const headers = { origin: 'https://attacker.example', 'content-type': 'application/json' };
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        if (method === 'get') continue;
        const answer = await api.call(path, { method: method.toUpperCase(), headers });
        expect(answer.status, `${method} ${path}`).toBe(403);
      }
    }
  });
});

test('where keys are set, pages of other sites need one, as everybody', async () => {
  const keys = await testKeys();
  const key = await keys.add({ name: 'page', scopes: ['admin'] });
  const other = await startTestApi({ config: { names: [], access: keys.access } });
  try {
    const headers = { origin: 'https://attacker.example', 'sec-fetch-site': 'cross-site' };
    expect(await changed(other, headers)).toBe(401);
    expect(await changed(other, { ...headers, authorization: key.authorization })).toBe(200);
  } finally {
    await other.close();
    await keys.remove();
  }
});

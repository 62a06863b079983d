import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from './config.ts';
import { assertOwnName, isLoopback } from './host-names.ts';
import { startTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ config: { names: ['search.example'] } });
});
afterAll(() => api.close());

/** What is answered to a request that says whom it asks; undefined for the API's own address. */
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

test('names count where the server is reached from its machine alone', () => {
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

test('what is no host is not this one', () => {
  expect(() => assertOwnName('a b', [])).toThrow(expect.objectContaining({ code: 'misdirected' }));
  expect(() => assertOwnName(undefined, [])).not.toThrow();
});

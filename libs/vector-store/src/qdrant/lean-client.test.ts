import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LeanClient } from './lean-client.ts';

let server: Server;
let answer: { status: number; headers?: Record<string, string>; body: string };
const seen: string[] = [];
let connections = 0;

beforeEach(async () => {
  seen.length = connections = 0;
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${String(request.headers['api-key'])}`);
    request.resume().on('end', () => response.writeHead(answer.status, answer.headers).end(answer.body));
  }).on('connection', () => (connections += 1));
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

function client(): LeanClient {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/behind`;
  const timeout = 5000;
  return new LeanClient({ url, timeout, headers: { 'api-key': 'k' }, client: { checkCompatibility: false } });
}

test('requests one after another share a connection, with the path in front of the API and the key', async () => {
  answer = { status: 200, body: '{"result":[],"status":"ok","time":0}' };
  const one = client();
  await one.upsertBytes('a b', Buffer.from('{"points":[]}'));
  expect(await one.retrieve('docs', { ids: [1] })).toEqual([]);
  expect(await one.queryBatch('docs', { searches: [] })).toEqual([]);
  expect(connections).toBe(1);
  expect(seen).toEqual([
    'PUT /behind/collections/a%20b/points?wait=true k',
    'POST /behind/collections/docs/points k',
    'POST /behind/collections/docs/points/query/batch k',
  ]);
});

test.each([
  [{ status: 429, headers: { 'retry-after': '7' }, body: '{"status":{"error":"slow"}}' }, { retry_after: 7 }],
  [
    { status: 429, headers: { 'retry-after': 'soon' }, body: '{}' },
    { status: 429, retry_after: undefined },
  ],
  [
    { status: 404, body: '{"status":{"error":"gone"}}' },
    { status: 404, data: { status: { error: 'gone' } } },
  ],
  [
    { status: 502, body: '<h1>Bad gateway</h1>' },
    { status: 502, data: '<h1>Bad gateway</h1>' },
  ],
])('%j is thrown with what it says', async (given, thrown) => {
  answer = given;
  await expect(client().query('docs', {})).rejects.toMatchObject(thrown);
});

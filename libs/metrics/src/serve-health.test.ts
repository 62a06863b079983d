import { request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { createMetrics, runChecks, serveHealth, type Check, type HealthServer } from './index.ts';

let server: HealthServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

const well: Check = () => Promise.resolve();
const ill: Check = () => Promise.reject(new Error('the store does not answer'));

async function serve(ready: Record<string, Check>): Promise<HealthServer> {
  server = await serveHealth({
    host: '127.0.0.1',
    port: 0,
    metrics: createMetrics('worker'),
    started: { models: ill },
    live: { loop: well },
    ready,
  });
  return server;
}

test('serves the metrics', async () => {
  const { url } = await serve({});
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain');
  expect(await response.text()).toContain('# TYPE embedmill_chunks_total counter');
});

test('is ready when every part is, and names the one that is not', async () => {
  const { url } = await serve({ queue: well, store: ill });
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toEqual({
    ok: false,
    parts: { queue: { ok: true }, store: { ok: false, detail: 'the store does not answer' } },
  });
  const live = await fetch(`${url}/healthz`);
  expect(live.status).toBe(200);
  expect(await live.json()).toEqual({ ok: true, parts: { loop: { ok: true } } });
  expect((await fetch(`${url}/startupz`)).status).toBe(503);
  expect((await fetch(`${url}/else`)).status).toBe(404);
});

test('a check that hangs counts as failed', async () => {
  const report = await runChecks({ hangs: () => new Promise(() => {}), well }, 20);
  expect(report).toEqual({
    ok: false,
    parts: { hangs: { ok: false, detail: 'no answer within 20 ms' }, well: { ok: true } },
  });
});

test('a taken port is refused, and a closed server frees its own', async () => {
  const first = await serve({});
  const port = Number(new URL(first.url).port);
  const options = {
    host: '127.0.0.1',
    port,
    metrics: createMetrics('worker'),
    started: {},
    live: {},
    ready: {},
  };
  await expect(serveHealth(options)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await first.close();
  server = await serveHealth(options);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});

test.each([
  ['attacker.example', 421],
  ['localhost.attacker.example:80', 421],
  ['localhost:80', 200],
  ['127.0.0.1', 200],
])('on loopback, a request to %s is answered with %i', async (host, wanted) => {
  const { url } = await serve({});
  for (const path of ['/metrics', '/healthz']) {
    const status = await new Promise((resolve, reject) => {
      const sent = request(new URL(path, url), { headers: { host } });
      sent.on('error', reject).on('response', (response) => resolve(response.resume().statusCode));
      sent.end();
    });
    expect(status, path).toBe(wanted);
  }
});

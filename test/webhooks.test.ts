import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { Embedmill, ndjson } from './embedmill.ts';

/** A webhook is notified of a job's end, even if the API dies between the end and the notification. */
const SECRET = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;
const told: { id: string; type: string; job: Job }[] = [];
let taking = true;
let tries = 0;
let server: Server;
let url: string;
let mill: Embedmill;

beforeAll(async () => {
  server = createServer((request, response) => {
    void textOf(request).then((body) => {
      tries += 1;
      const { type, data } = JSON.parse(body) as { type: string; data: Job };
      if (taking) told.push({ id: String(request.headers['webhook-id']), type, job: data });
      response.writeHead(taking ? 204 : 503).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  mill = await Embedmill.up({ env: { EMBEDMILL_FETCH_ALLOW: '127.0.0.1' } });
});
afterAll(async () => {
  await mill?.stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const headers = (failures?: string): Record<string, string> => ({
  'embedmill-webhook-url': url,
  'embedmill-webhook-secret': SECRET,
  ...(failures !== undefined && { 'embedmill-webhook-failures': failures }),
});

test('the webhook is notified of failures beyond the threshold, then of the end, once each', async () => {
  const collection = await mill.collection('webhooks', { model: 'static-minilm-256' });
  const lines = Array.from({ length: 3000 }, (_, n) => ({ id: `d${n}`, text: n < 300 ? '' : `text ${n}` }));
  const job = await mill.submit(collection, ndjson(lines), headers('10'));
  expect(JSON.stringify(job)).not.toContain(SECRET);
  const done = await mill.finished(job);
  const mine = () => told.filter((one) => one.id.startsWith(job.id));
  await mill.until('the end is told', async () => mine().some(({ type }) => type === 'job.completed'));
  expect(mine().map(({ type }) => type)).toEqual(['job.failures', 'job.completed']);
  expect(mine()[1]?.job).toMatchObject({ id: job.id, state: 'completed', failed: done.failed });
  const { stdout } = await mill.cli('webhooks', job.id);
  expect(stdout).toContain('job.completed');
  expect(stdout).toContain('delivered after 1 attempts');
});

test('an undelivered message survives a killed API', async () => {
  const collection = await mill.collection('webhooks-kill', { model: 'static-minilm-256' });
  taking = false;
  tries = 0;
  const job = await mill.finished(await mill.submit(collection, ndjson([{ id: 'a', text: 'b' }]), headers()));
  await mill.until('a first try', async () => tries > 0);
  await mill.killApi();
  taking = true;
  await mill.until('it is told', async () => told.some(({ id }) => id === `${job.id}-completed`), 90);
});

test('an invalid webhook is refused before anything is accepted', async () => {
  const collection = await mill.collection('webhooks-wrong', { model: 'static-minilm-256' });
  const submit = (given: Record<string, string>) =>
    mill.submit(collection, ndjson([{ id: 'a', text: 'b' }]), given);
  await expect(submit({ 'embedmill-webhook-url': url })).rejects.toThrow('Embedmill-Webhook-secret');
  await expect(submit({ ...headers(), 'embedmill-webhook-url': 'ftp://x' })).rejects.toThrow('http');
  await expect(submit(headers('0'))).rejects.toThrow('Embedmill-Webhook-failures');
});

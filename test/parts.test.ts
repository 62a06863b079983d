import { createHash } from 'node:crypto';
import { request } from 'node:http';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job, TenantId } from '@embedmill/jobs';
import { testKeys } from '../apps/api/src/access/test-keys.ts';
import { NESTED } from '../apps/api/src/testing/fake-worker.ts';
import { sweepClientRecords } from '../apps/api/src/batches/batch-retention.ts';
import { startMill, type Mill } from './living/mill.ts';

/** Uploads in parts, by OpenAI's own client, over the real API, queue, dispatcher, spool and walk. */
const BYTES = Buffer.from('id,text\na,a whale in the sea\nb,a bank by the river\nc,a ship of wood\n');
const MD5 = createHash('md5').update(BYTES).digest('hex');

let mill: Mill;
let keys: Awaited<ReturnType<typeof testKeys>>;
let bearer: string;
let others: string;
let acme: OpenAI;
let other: OpenAI;

beforeAll(async () => {
  keys = await testKeys();
  const scopes: ('submit' | 'search')[] = ['submit', 'search'];
  const keyOf = async (tenant: string) =>
    (await keys.add({ name: tenant, scopes, tenant: tenant as TenantId })).authorization;
  bearer = await keyOf('acme');
  others = await keyOf('other');
  const admin = (await keys.add({ name: 'ops', scopes: ['admin'] })).authorization;
  mill = await startMill({ config: { access: keys.access } });
  const clientOf = (authorization: string) =>
    new OpenAI({ baseURL: `${mill.url}/v1`, apiKey: authorization.replace('Bearer ', ''), maxRetries: 0 });
  [acme, other] = [clientOf(bearer), clientOf(others)];
  const body = JSON.stringify({ name: 'docs', profile: { model: NESTED.name } });
  await call('POST', '/api/v1/collections', body, admin);
});
afterAll(async () => {
  await mill?.close();
  await keys?.remove();
});

async function call(method: string, path: string, body?: string, authorization = bearer): Promise<Response> {
  const headers = { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) };
  return fetch(new URL(path, mill.url), { method, headers, ...(body !== undefined && { body }) });
}

const begin = (bytes = BYTES.length) =>
  acme.uploads.create({ filename: 'docs.csv', purpose: 'batch', bytes, mime_type: 'text/csv' });
const send = async (upload: string, data: Uint8Array) =>
  acme.uploads.parts.create(upload, { data: await toFile(data, 'part') });

async function partsOf(upload: string): Promise<{ id: string; bytes: number }[]> {
  const answer = await call('GET', `/v1/uploads/${upload}`);
  return ((await answer.json()) as { parts: { id: string; bytes: number }[] }).parts;
}

/** Sends a part that breaks off after its beginning. */
async function sendBroken(upload: string): Promise<void> {
  const boundary = 'cut';
  const { promise, resolve } = Promise.withResolvers<void>();
  const sending = request(new URL(`/v1/uploads/${upload}/parts`, mill.url), {
    method: 'POST',
    headers: {
      authorization: bearer,
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': 4096,
    },
  });
  sending.on('error', () => undefined).on('close', resolve);
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="data"; filename="part"\r\n\r\nid,text\n`;
  sending.write(head, () => sending.destroy());
  await promise;
}

test('only the part that was cut off is sent again, and the file can be a job’s source', async () => {
  const { id, status } = await begin();
  expect(status).toBe('pending');
  const second = await send(id, BYTES.subarray(20));
  await sendBroken(id);
  expect(await partsOf(id)).toEqual([{ id: second.id, bytes: BYTES.length - 20 }]);
  const first = await send(id, BYTES.subarray(0, 20));
  const completed = await acme.uploads.complete(id, { part_ids: [first.id, second.id], md5: MD5 });
  expect(completed).toMatchObject({
    status: 'completed',
    file: { filename: 'docs.csv', bytes: BYTES.length },
  });
  const file = completed.file!.id;
  expect(Buffer.from(await (await acme.files.content(file)).arrayBuffer())).toEqual(BYTES);
  // Its answer was cut off, so the request is repeated.
  expect(await acme.uploads.complete(id, { part_ids: [] })).toEqual(completed);

  const submit = () => call('POST', '/api/v1/collections/docs/jobs', JSON.stringify({ source: { file } }));
  const job = (await (await submit()).json()) as Job;
  expect(await mill.finished(job)).toMatchObject({ state: 'completed', documents: 3, stored: 3 });
  // The file remains the client's.
  const again = (await (await submit()).json()) as Job;
  expect(await mill.finished(again)).toMatchObject({ state: 'completed', documents: 3, skipped: 3 });
});

test('missing parts, too few bytes and different bytes are refused, and the upload continues', async () => {
  const { id } = await begin();
  const whole = await send(id, BYTES);
  const complete = (part_ids: string[], md5?: string) =>
    acme.uploads.complete(id, { part_ids, ...(md5 !== undefined && { md5 }) });
  await expect(complete(['part_none'])).rejects.toThrow('there is no part part_none');
  await expect(complete([])).rejects.toThrow(`0 bytes in total, but the upload has ${BYTES.length}`);
  await expect(complete([whole.id], '0'.repeat(32))).rejects.toThrow(MD5);
  await expect(send(id, Buffer.alloc(BYTES.length + 1))).rejects.toThrow('the part exceeds');
  expect(await complete([whole.id], MD5)).toMatchObject({ status: 'completed' });
  await expect(send(id, BYTES)).rejects.toThrow('completed; begin another');
});

test('an upload belongs to its tenant, and ends when it is cancelled or a day old', async () => {
  const [one, two] = [await begin(), await begin()];
  const part = await send(one.id, BYTES);
  const data = await toFile(BYTES, 'part');
  for (const asked of [
    () => other.uploads.parts.create(one.id, { data }),
    () => other.uploads.complete(one.id, { part_ids: [part.id] }),
    () => other.uploads.cancel(one.id),
  ])
    await expect(asked()).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  const { id: file } = await acme.files.create({ file: data, purpose: 'batch' });
  const body = JSON.stringify({ source: { file } });
  expect((await call('POST', '/api/v1/collections/docs/jobs', body, others)).status).toBe(404);

  expect(await acme.uploads.cancel(one.id)).toMatchObject({ status: 'cancelled', file: null });
  await expect(acme.uploads.complete(one.id, { part_ids: [part.id] })).rejects.toThrow(
    'cancelled; begin another',
  );
  const { spool, queue } = mill.parts;
  const log = { info: () => {}, warn: () => {} };
  await sweepClientRecords({ queue, spool, log }, 30 * 24 * 3600 * 1000, Date.now() + 25 * 3600 * 1000);
  for (const { id } of [one, two]) expect((await call('GET', `/v1/uploads/${id}`)).status).toBe(404);
});

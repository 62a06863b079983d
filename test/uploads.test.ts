import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { Embedmill, uniqueName } from './embedmill.ts';

/** Uploads that are too large, or incomplete. */
let mill: Embedmill;
let name: string;

beforeAll(async () => {
  mill = await Embedmill.up();
  name = uniqueName('uploads');
  await mill.json('/api/v1/collections', { name });
});
afterAll(async () => {
  await mill.call(`/api/v1/collections/${name}`, { method: 'DELETE' });
  await mill.stop();
});

/** The peak memory of a process, in MB. */
async function peakMB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

/** Resets the peak: earlier use does not count (proc(5), clear_refs). */
function forgetPeak(pid: number): Promise<void> {
  return writeFile(`/proc/${pid}/clear_refs`, '5');
}

/** Uploads documents with much metadata, and cancels the job once they are scanned. */
async function uploadAndScan(megabytes: number): Promise<void> {
  const { url } = await mill.state();
  const filler = 'f'.repeat(20_000);
  const documents = megabytes * 50;
  async function* body() {
    for (let n = 0; n < documents; n += 1) {
      yield Buffer.from(`${JSON.stringify({ id: `d${n}`, text: `text ${n}`, metadata: { filler } })}\n`);
    }
  }
  const response = await fetch(new URL(`/api/v1/collections/${name}/jobs`, url), {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: ReadableStream.from(body()),
    duplex: 'half',
  } as RequestInit);
  expect(response.status).toBe(202);
  const job = (await response.json()) as Job;
  await mill.until('it was scanned', async () => (await mill.json<Job>(`/api/v1/jobs/${job.id}`)).scanned);
  await mill.json(`/api/v1/jobs/${job.id}/cancel`, {});
  expect(await mill.finished(job)).toMatchObject({ state: 'cancelled', documents });
}

test('an upload of 200 MB takes the API no more memory than one of 40 MB', async () => {
  const { processes } = await mill.state();
  await uploadAndScan(40);
  const before = await peakMB(processes.api);
  await uploadAndScan(200);
  const after = await peakMB(processes.api);
  process.stdout.write(
    `the API's peak RSS: ${before.toFixed(0)} MB after 40 MB, ${after.toFixed(0)} MB after 200 MB\n`,
  );
  expect(after - before).toBeLessThan(80);
});

/** Uploads a file to `/v1/files` and downloads it again. */
async function throughFiles(megabytes: number): Promise<void> {
  const { url } = await mill.state();
  const form = new FormData();
  form.set('purpose', 'batch');
  const megabyte = Buffer.alloc(1024 * 1024, 'f');
  form.set('file', new Blob(Array.from({ length: megabytes }, () => megabyte)), 'requests.jsonl');
  const uploaded = await fetch(new URL('/v1/files', url), { method: 'POST', body: form });
  expect(uploaded.status).toBe(200);
  const { id, bytes } = (await uploaded.json()) as { id: string; bytes: number };
  expect(bytes).toBe(megabytes * megabyte.length);
  const { body } = await mill.call(`/v1/files/${id}/content`);
  let received = 0;
  for await (const chunk of body ?? []) received += chunk.length;
  expect(received).toBe(bytes);
  await mill.call(`/v1/files/${id}`, { method: 'DELETE' });
}

test('uploading and downloading a file of 200 MB takes the API no more memory than one of 40 MB', async () => {
  const { processes } = await mill.state();
  await forgetPeak(processes.api);
  await throughFiles(40);
  const before = await peakMB(processes.api);
  await forgetPeak(processes.api);
  await throughFiles(200);
  const after = await peakMB(processes.api);
  process.stdout.write(
    `the API's peak RSS: ${before.toFixed(0)} MB after a file of 40 MB, ${after.toFixed(0)} MB after one of 200 MB\n`,
  );
  expect(after - before).toBeLessThan(80);
});

test('an upload that breaks off starts no job and leaves nothing', async () => {
  const { url } = await mill.state();
  const jobs = async () => (await mill.json<{ jobs: Job[] }>(`/api/v1/jobs?collection=${name}`)).jobs.length;
  const before = await jobs();
  const broken = request(new URL(`/api/v1/collections/${name}/jobs`, url), {
    method: 'POST',
    headers: {
      'content-type': 'application/x-ndjson',
      'content-length': 1_000_000,
      'idempotency-key': 'broken-1',
    },
  });
  broken.on('error', () => {});
  await new Promise((resolve) => broken.write('{"id":"a","text":"half a job"}\n', resolve));
  await new Promise((resolve) => setImmediate(resolve));
  broken.destroy();
  const whole = await mill.submit(name, '{"id":"a","text":"a whole job"}\n', {
    'idempotency-key': 'broken-1',
  });
  expect(await mill.finished(whole)).toMatchObject({ state: 'completed', documents: 1 });
  expect(await jobs()).toBe(before + 1);
});

test('a repeated Idempotency-Key returns the same job, and a different body is refused', async () => {
  const headers = { 'idempotency-key': 'again-1' };
  const first = await mill.submit(name, '{"id":"i","text":"one"}\n', headers);
  const second = await mill.submit(name, '{"id":"i","text":"one"}\n', headers);
  expect(second.id).toBe(first.id);
  await expect(mill.submit(name, '{"id":"i","text":"two"}\n', headers)).rejects.toThrow(
    /409.*idempotency_conflict/,
  );
});

test('an unknown collection is refused before the body is read', async () => {
  await expect(mill.submit('nowhere', '{"id":"a","text":"x"}\n')).rejects.toThrow(
    /404.*collection_not_found/,
  );
});

import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { spooledFiles } from '../testing/spooled-files.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
let sources: string;
const NAME = 'docs';
const JOBS = `/api/v1/collections/${NAME}/jobs`;
const LINE = '{"id":"a","text":"hello"}\n';

beforeAll(async () => {
  sources = await mkdtemp(join(tmpdir(), 'embedmill-sources-'));
  await mkdir(join(sources, 'allowed'));
  api = await startTestApi({ config: { maxUploadBytes: 2_000_000, sourceFolder: join(sources, 'allowed') } });
  await api.json('POST', '/api/v1/collections', { name: NAME, profile: { filterable: { year: 'integer' } } });
});
afterAll(async () => {
  await api.close();
  await rm(sources, { recursive: true, force: true });
});

const jobCount = async () => (await api.parts.queue.listJobs({ limit: 10_000 })).jobs.length;
const spooled = () => spooledFiles(api.spoolFolder);

async function until(what: string, met: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 90_000; !(await met()); await setTimeout(10)) {
    if (Date.now() > deadline) throw new Error(`still not: ${what}`);
  }
}

/** Runs it, and checks that it left neither a job nor a file. */
async function leavesNothing<T>(does: () => Promise<T>): Promise<T> {
  const before = { jobs: await jobCount(), files: await spooled() };
  const result = await does();
  await until('nothing is left', async () => (await spooled()).length === before.files.length);
  expect({ jobs: await jobCount(), files: await spooled() }).toEqual(before);
  return result;
}

test('an upload of NDJSON becomes a job, at the address that Location names', async () => {
  const response = await api.submit(NAME, LINE);
  expect(response.status).toBe(202);
  const job = (await response.json()) as Job;
  expect(job).toMatchObject({ collection: NAME, state: 'queued', source: 'upload', retryOf: null });
  const found = await api.json('GET', response.headers.get('location') ?? '');
  expect(found).toMatchObject({ status: 200, body: { id: job.id } });
  expect(await spooled()).toContainEqual(expect.stringMatching(new RegExp(`^${job.id}/source-.*\\.ndjson$`)));
});

test('a chunked upload becomes a job too', async () => {
  async function* body() {
    yield Buffer.from('{"id":"a",');
    yield Buffer.from('"text":"in pieces"}\n');
  }
  const init = { method: 'POST', body: ReadableStream.from(body()), duplex: 'half' };
  const response = await api.call(JOBS, {
    ...init,
    headers: { 'content-type': 'application/x-ndjson' },
  } as RequestInit);
  expect(response.status).toBe(202);
});

test('an upload to an unknown collection is refused before its body is read', async () => {
  await leavesNothing(async () => {
    const upload = request(new URL('/api/v1/collections/nowhere/jobs', api.url), {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', 'content-length': 1_000_000 },
    });
    upload.flushHeaders();
    const status = await new Promise((resolve, reject) => {
      upload.on('response', (response) => resolve(response.statusCode)).on('error', reject);
    });
    expect(status).toBe(404);
    upload.on('error', () => {}).destroy();
  });
});

test('a client that expects 100-continue is not told to go on when its upload is refused', async () => {
  const ask = (path: string, length: number) =>
    new Promise<{ continued: boolean; status: number | undefined }>((resolve, reject) => {
      let continued = false;
      const upload = request(new URL(path, api.url), {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson', 'content-length': length, expect: '100-continue' },
      });
      upload.on('continue', () => {
        continued = true;
        upload.end(LINE);
      });
      upload.on('response', (response) => {
        resolve({ continued, status: response.statusCode });
        response.resume();
        if (!continued) upload.destroy();
      });
      upload.on('error', reject);
      upload.flushHeaders();
    });
  expect(await ask(JOBS, LINE.length)).toEqual({ continued: true, status: 202 });
  expect(await ask('/api/v1/collections/nowhere/jobs', LINE.length)).toEqual({
    continued: false,
    status: 404,
  });
  expect(await ask(JOBS, 3_000_000)).toEqual({ continued: false, status: 413 });
});

test('an upload that ends early starts no job and leaves nothing', async () => {
  await leavesNothing(async () => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    const head = `POST ${JOBS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n`;
    const before = (await spooled()).length;
    socket.write(head + LINE);
    await until('it is being received', async () => (await spooled()).length > before);
    socket.destroy();
  });
});

test('an upload over the limit is refused, announced or not', async () => {
  const line = `{"id":"a","text":"${'x'.repeat(1000)}"}\n`;
  const large = line.repeat(3000);
  await leavesNothing(async () => {
    const announced = await api.submit(NAME, large);
    expect(announced.status).toBe(413);
    expect(await announced.json()).toMatchObject({
      code: 'payload_too_large',
      detail: expect.stringContaining('2000000'),
    });
    async function* body() {
      for (let n = 0; n < 3000; n += 1) yield Buffer.from(line);
    }
    const init = { method: 'POST', body: ReadableStream.from(body()), duplex: 'half' };
    const chunked = await api.call(JOBS, {
      ...init,
      headers: { 'content-type': 'application/x-ndjson' },
    } as RequestInit);
    expect(chunked.status).toBe(413);
  });
});

test.each([
  ['with no bytes, announced', { body: '' }],
  ['with no bytes, chunked', { body: new ReadableStream({ start: (it) => it.close() }), duplex: 'half' }],
  ['without any body', {}],
])('an upload %s says that it is empty', async (_, init) => {
  const response = await leavesNothing(() =>
    api.call(JOBS, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      ...init,
    } as RequestInit),
  );
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    code: 'invalid_request',
    detail: expect.stringContaining('empty'),
  });
});

test.each([
  [{ 'content-type': 'text/plain' }, 'text/plain'],
  [{ 'content-type': 'application/x-www-form-urlencoded' }, 'x-www-form-urlencoded'],
  [{ 'content-type': 'application/x-ndjson', 'content-encoding': 'br' }, 'as gzip'],
  [{ 'content-type': 'application/json', 'content-encoding': 'compress' }, 'gzip'],
])('a body of another type is refused: %o', async (headers, says) => {
  const response = await leavesNothing(() => api.call(JOBS, { method: 'POST', body: LINE, headers }));
  expect(response.status).toBe(415);
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  expect(await response.json()).toMatchObject({
    type: 'urn:embedmill:error:unsupported_media_type',
    code: 'unsupported_media_type',
    status: 415,
    detail: expect.stringContaining(says),
    instance: JOBS,
    retryable: false,
  });
});

test('a few documents can be sent as JSON', async () => {
  const documents = [
    { id: 1, text: 'one', metadata: { year: 2020 } },
    { id: 'b', text: 'two' },
  ];
  const { status, body } = await api.json('POST', JOBS, { documents });
  expect(status).toBe(202);
  expect(body).toMatchObject({ source: 'inline' });
  const record = await api.parts.queue.getSubmission((body as Job).id as never);
  expect(record?.source).toEqual({ kind: 'inline', lines: documents.map((one) => JSON.stringify(one)) });
});

test('documents in JSON are all checked at once, and one bad one refuses all', async () => {
  const documents = [
    { id: 'a', text: 'fine' },
    { text: 'no id' },
    { id: 'c', text: ' \n' },
    { id: 'd', text: 'x', metadata: { year: 'last' } },
    { id: 'e', text: 7 },
    'not an object',
  ];
  const { status, body } = await leavesNothing(() => api.json('POST', JOBS, { documents }));
  expect(status).toBe(422);
  expect(body).toMatchObject({ code: 'missing_id', detail: expect.stringContaining('5 of 6 documents') });
  expect((body as { errors: { path: string }[] }).errors.map(({ path }) => path)).toEqual([
    'documents/1/id',
    'documents/2/text',
    'documents/3/metadata/year',
    'documents/4/text',
    'documents/5',
  ]);
});

test('a __proto__ key in a document is refused with its place', async () => {
  const body =
    '{"documents":[{"id":"a","text":"x"},{"id":"b","text":"x","metadata":{"__proto__":{"admin":true}}}]}';
  const response = await leavesNothing(() =>
    api.call(JOBS, { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
  );
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({ code: 'forbidden_key', errors: [{ path: 'documents/1' }] });
});

test.each([
  ['too many documents', { documents: Array.from({ length: 257 }, (_, n) => ({ id: `d${n}`, text: 'x' })) }],
  ['too many bytes', { documents: [{ id: 'a', text: 'x'.repeat(300_000) }] }],
])('%s in JSON are refused with the way out', async (_, body) => {
  const { status, body: problem } = await leavesNothing(() => api.json('POST', JOBS, body));
  expect(status).toBe(413);
  expect(problem).toMatchObject({
    code: 'payload_too_large',
    detail: expect.stringContaining('application/x-ndjson'),
  });
});

test.each([
  ['{"documents":[}', 'invalid_json', undefined],
  ['[]', 'invalid_request', ''],
  ['{}', 'invalid_request', ''],
  ['{"documents":[]}', 'invalid_request', 'documents'],
  ['{"source":{}}', 'invalid_request', 'source'],
  ['{"source":{"url":"file:///etc/passwd"}}', 'invalid_request', 'source/url'],
  ['{"source":{"path":"a","url":"http://localhost/a"}}', 'invalid_request', 'source'],
  ['{"documentz":[]}', 'invalid_request', 'documentz'],
])('the body %s is refused as %s at %s', async (body, code, path) => {
  const response = await api.call(JOBS, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
  expect(response.status).toBe(400);
  const problem = (await response.json()) as { code: string; errors?: { path: string }[] };
  expect(problem.code).toBe(code);
  expect(problem.errors?.[0]?.path).toBe(path);
});

test('a file below the allowed folder can be submitted by its path, others cannot', async () => {
  await writeFile(join(sources, 'allowed', 'in.ndjson'), LINE);
  await writeFile(join(sources, 'out.ndjson'), LINE);
  await symlink(join(sources, 'out.ndjson'), join(sources, 'allowed', 'link.ndjson'));
  const submit = (path: string) => api.json('POST', JOBS, { source: { path } });
  expect(await submit('in.ndjson')).toMatchObject({ status: 202, body: { source: 'in.ndjson' } });
  for (const path of ['../out.ndjson', join(sources, 'out.ndjson'), 'link.ndjson', '/etc/passwd']) {
    expect(await submit(path)).toMatchObject({ status: 403, body: { code: 'source_forbidden' } });
  }
  expect(await submit('none.ndjson')).toMatchObject({ status: 422, body: { code: 'source_unreadable' } });
});

test('a URL can be submitted, and its password is shown nowhere', async () => {
  const url = 'http://user:secret-word@localhost/docs.ndjson?key=secret-word';
  const { status, body } = await api.json('POST', JOBS, { source: { url } });
  expect({ status, body }).toMatchObject({ status: 202, body: { source: 'http://localhost/docs.ndjson' } });
  expect(JSON.stringify(body) + api.logged.join('')).not.toContain('secret-word');
});

test('an Idempotency-Key gives one job, also for uploads at the same time', async () => {
  const headers = { 'idempotency-key': 'together' };
  const before = await jobCount();
  const responses = await Promise.all(Array.from({ length: 6 }, () => api.submit(NAME, LINE, headers)));
  expect(responses.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 202]);
  const jobs = (await Promise.all(responses.map((response) => response.json()))) as Job[];
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
  expect(await jobCount()).toBe(before + 1);
  expect((await readdir(join(api.spoolFolder, jobs[0]!.id))).length).toBe(1);
});

test('an Idempotency-Key with another body is refused, and the first job keeps its source', async () => {
  const headers = { 'idempotency-key': 'twice' };
  const first = (await (await api.submit(NAME, LINE, headers)).json()) as Job;
  const other = await leavesNothing(() => api.submit(NAME, '{"id":"b","text":"other"}\n', headers));
  expect(other.status).toBe(409);
  expect(await other.json()).toMatchObject({ code: 'idempotency_conflict' });
  expect((await readdir(join(api.spoolFolder, first.id))).length).toBe(1);
  const json = (documents: unknown[]) =>
    api.call(JOBS, {
      method: 'POST',
      body: JSON.stringify({ documents }),
      headers: { 'content-type': 'application/json', 'idempotency-key': 'twice-json' },
    });
  expect((await json([{ id: 'a', text: 'x' }])).status).toBe(202);
  expect((await json([{ id: 'a', text: 'x' }])).status).toBe(200);
  expect((await json([{ id: 'a', text: 'y' }])).status).toBe(409);
});

test('the log names the job and not what is in it', async () => {
  const job = (await (await api.submit(NAME, '{"id":"a","text":"very private"}\n')).json()) as Job;
  const line = api.logged.find((one) => one.includes(job.id)) ?? '{}';
  expect(JSON.parse(line)).toMatchObject({ job: job.id, collection: NAME, kind: 'upload', created: true });
  expect(api.logged.join('')).not.toContain('very private');
});

test('accepted jobs and bytes are counted', async () => {
  const counts = async () => {
    const body = await (await api.call('/metrics')).text();
    const value = (pattern: RegExp) => Number(pattern.exec(body)?.[1] ?? 0);
    return {
      jobs: value(/^embedmill_jobs_submitted_total\{source="upload"\} (\d+)$/m),
      bytes: value(/^embedmill_upload_bytes_total (\d+)$/m),
      requests: value(
        /^embedmill_http_request_duration_seconds_count\{method="POST",route="[^"]*\/jobs",status="2xx"\} (\d+)$/m,
      ),
    };
  };
  const before = await counts();
  await (await api.submit(NAME, LINE)).text();
  const after = await counts();
  expect(after).toEqual({
    jobs: before.jobs + 1,
    bytes: before.bytes + LINE.length,
    requests: before.requests + 1,
  });
});

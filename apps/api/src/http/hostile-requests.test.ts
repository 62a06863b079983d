import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { spooledFiles } from '../testing/spooled-files.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** Malicious requests. */
let api: TestApi;
let sources: string;
const NAME = 'docs';
const JOBS = `/api/v1/collections/${NAME}/jobs`;

beforeAll(async () => {
  sources = await mkdtemp(join(tmpdir(), 'embedmill-hostile-'));
  api = await startTestApi({ config: { sourceFolder: sources } });
  const profile = { filterable: { year: 'integer' } };
  await api.json('POST', '/api/v1/collections', { name: NAME, profile });
});
afterAll(async () => {
  await api.close();
  await rm(sources, { recursive: true, force: true });
});

const send = (path: string, body: string | Uint8Array<ArrayBuffer>, type = 'application/json') =>
  api.call(path, { method: 'POST', body, headers: { 'content-type': type } });
const deepArray = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const deepObject = (levels: number) => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);

interface Description {
  paths: Record<string, { post?: { requestBody?: { content?: Record<string, { schema?: Schema }> } } }>;
  components?: { schemas?: Record<string, Schema> };
}
interface Schema {
  $ref?: string;
  properties?: Record<string, unknown>;
}

/** Every route that takes JSON, with the fields of its body. */
async function jsonRoutes(): Promise<{ path: string; fields: string[] }[]> {
  const description = (await (await api.call('/openapi.json')).json()) as Description;
  return Object.entries(description.paths).flatMap(([path, { post }]) => {
    const schema = post?.requestBody?.content?.['application/json']?.schema;
    if (schema === undefined) return [];
    const named =
      schema.$ref === undefined ? schema : description.components?.schemas?.[schema.$ref.split('/').at(-1)!];
    const at = path.replace('{name}', NAME).replace(/\{\w+\}/g, 'x');
    return [{ path: at, fields: Object.keys(named?.properties ?? {}) }];
  });
}

describe('a body that is', () => {
  test.each([
    ['deep', (field: string) => [`{"${field}":${deepArray(20_000)}}`, `{"${field}":${deepObject(20_000)}}`]],
    ['deep, and never closed', (field: string) => [`{"${field}":${'['.repeat(50_000)}`]],
    [
      'meant to change every object',
      (field: string) => [
        `{"${field}":{"__proto__":{"polluted":1}}}`,
        `{"${field}":[{"constructor":{"prototype":{"polluted":1}}}]}`,
        `{"__proto__":{"polluted":1},"${field}":1}`,
      ],
    ],
    ['of keys without end', (field: string) => [`{"${field}":1${',"k":1'.repeat(20_000)}}`]],
    [
      'of thousands of unknown keys',
      (field: string) => [`{"${field}":1${Array.from({ length: 10_000 }, (_, n) => `,"k${n}":1`).join('')}}`],
    ],
  ])('%s is refused by every route, briefly', async (_what, bodiesFor) => {
    const routes = await jsonRoutes();
    expect(routes.length).toBeGreaterThan(8);
    for (const { path, fields } of routes) {
      for (const body of ['x', ...fields].flatMap(bodiesFor)) {
        const response = await send(path, body);
        const answer = await response.text();
        expect(response.status, `${path} ${body.slice(0, 80)} ${answer.slice(0, 200)}`).toBeLessThan(500);
        expect(response.status, `${path} ${body.slice(0, 80)}`).toBeGreaterThanOrEqual(400);
        expect(answer.length).toBeLessThan(20_000);
      }
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test.each(['and', 'or', 'not'])(
    'a filter of %s without end is refused, by its field or before it is read',
    async (word) => {
      const [open, close] = word === 'not' ? ['{"not":', '}'] : [`{"${word}":[`, ']}'];
      for (const levels of [20, 700, 30_000]) {
        const filter = open!.repeat(levels) + '{"field":"year","eq":1}' + close!.repeat(levels);
        const response = await send(`/api/v1/collections/${NAME}/search`, `{"query":"x","filter":${filter}}`);
        expect(response.status).toBe(400);
        const problem = (await response.json()) as { code: string; errors?: object[] };
        expect(problem.code).toBe('invalid_request');
        if (levels === 20) expect(problem.errors).toMatchObject([{ path: 'filter' }]);
      }
    },
  );
});

describe('an address', () => {
  test.each([
    ['leaves the folder', 404, '/api/v1/jobs/..%2f..%2fetc%2fpasswd'],
    ['leaves the folder of reports', 404, '/api/v1/jobs/..%2f..%2fetc%2fpasswd/failures'],
    ['has a NUL', 404, '/api/v1/jobs/x%00'],
    ['has a header of its own', 404, '/api/v1/jobs/a%0d%0aset-cookie:%20x'],
    ['names what every object has', 404, '/api/v1/jobs/__proto__'],
    ['leaves the folder of collections', 404, '/api/v1/collections/..%2f..%2fdata'],
    ['names what every object has', 404, '/api/v1/collections/constructor'],
    ['has the longest id', 404, `/api/v1/collections/${NAME}/documents/${'%E7%95%8C'.repeat(512)}`],
    ['has a longer one', 400, `/api/v1/collections/${NAME}/documents/${'x'.repeat(10_000)}`],
    ['has a condition in it', 400, `/api/v1/collections/${NAME}/points?after=%27%20or%201=1`],
    ['would change every object', 400, '/api/v1/jobs?__proto__[polluted]=1'],
    ['names what every object has', 400, '/api/v1/jobs?constructor=1'],
    ['says a thing twice', 400, '/api/v1/jobs?limit=1&limit=2'],
    ['is badly escaped', 400, '/api/v1/jobs/%zz'],
    ['is no UTF-8', 400, '/%ED%A0%80'],
  ])('that %s is answered with %i and a problem', async (_what, status, path) => {
    const response = await api.call(path);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(response.headers.get('set-cookie')).toBeNull();
    const problem = (await response.json()) as { code: string; retryable: boolean };
    expect(problem).toMatchObject({ code: expect.any(String), retryable: false });
  });
});

test('a name with line breaks stays on one line in events, headers and the log', async () => {
  const name = 'a\n\nevent: end\ndata: {"state":"completed"}\n\n\u001b[2J\r\nset-cookie: x=1.ndjson';
  await writeFile(join(sources, name), '{"id":"a","text":"x"}\n');
  const logged = api.logged.length;
  const submitted = await api.json('POST', JOBS, { source: { path: name } });
  const job = submitted.body as Job;
  expect(submitted.headers.get('location')).toBe(`/api/v1/jobs/${job.id}`);
  expect(submitted.headers.get('set-cookie')).toBeNull();

  const events = await api.call(`/api/v1/jobs/${job.id}/events`);
  await api.json('POST', `/api/v1/jobs/${job.id}/cancel`, {});
  await api.dispatch();
  const stream = await events.text();
  for (const line of stream.split('\n')) expect(line).toMatch(/^(event: (progress|end)|data: \{.*\}|: .*|)$/);
  const last = stream.trimEnd().split('\ndata: ').at(-1)!;
  expect(JSON.parse(last)).toMatchObject({ id: job.id, state: 'cancelled', source: name });

  await api.call(`/api/v1/jobs/${encodeURIComponent(name)}`);
  for (const line of api.logged.slice(logged)) {
    expect(JSON.parse(line)).toHaveProperty('msg');
    // One line break, at its end; JSON escapes the others and the controls.
    // eslint-disable-next-line no-control-regex
    expect(line).toMatch(/^[^\u0000-\u001f]*\n$/);
  }
});

describe('uploads', () => {
  const PATIENCE_MS = 60;
  /** The server's response to raw bytes, until either side closes the connection. */
  async function exchange(bytes: Uint8Array): Promise<string> {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString('latin1'))).on('error', () => undefined);
    // An incomplete response at this point was interrupted.
    socket.setTimeout(PATIENCE_MS, () => socket.destroy()).write(bytes);
    await once(socket, 'close');
    return answer;
  }

  const line = fc.constantFrom('{"id":"a","text":"x"}\n', '{"id":', '\n', '\0\0\n', '[[[[[[\n');
  const content = fc.array(line, { maxLength: 5 }).map((lines) => lines.join(''));
  const chunk = fc.tuple(content, fc.integer({ min: -2, max: 2 })).map(([text, off]) => {
    const size = text.length === 0 ? 1 : Math.max(1, text.length + off);
    return `${size.toString(16)}\r\n${text}\r\n`;
  });
  const framing = fc.oneof(
    fc.tuple(content, fc.integer({ min: -3, max: 30 })).map(([text, off]) => ({
      head: `content-length: ${Math.max(0, text.length + off)}`,
      body: text,
    })),
    fc
      .tuple(fc.array(chunk, { maxLength: 3 }), fc.constantFrom('0\r\n\r\n', '0\r\n', 'zz\r\n', ''))
      .map(([chunks, end]) => ({ head: 'transfer-encoding: chunked', body: chunks.join('') + end })),
    content.map((body) => ({ head: 'content-length: 5\r\ntransfer-encoding: chunked', body })),
    content.map((body) => ({ head: 'content-length: -1', body })),
    content.map((body) => ({ head: 'content-length: 99999999999', body })),
  );
  const request = fc.record({
    framing,
    type: fc.constantFrom('application/x-ndjson', 'application/json', 'text/html', ''),
    more: fc.constantFrom(
      '',
      'content-encoding: gzip',
      'idempotency-key: k',
      'expect: 100-continue',
      'x y: z',
    ),
  });

  test('framed in any way leave a server that works and no half of a file', async () => {
    const statuses = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 8, maxLength: 8 }), async (requests) => {
        const answers = requests.map(({ framing: { head, body }, type, more }) => {
          const headers = [`host: x`, `content-type: ${type}`, 'connection: close', head, more].filter(
            Boolean,
          );
          return exchange(Buffer.from(`POST ${JOBS} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${body}`));
        });
        for (const answer of await Promise.all(answers)) {
          // Nothing if the sender closed first.
          for (const [, status = ''] of answer.matchAll(/^HTTP\/1\.1 (\d+) /gm)) {
            expect(Number(status), answer).toBeLessThan(500);
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
          }
        }
      }),
      { numRuns: 250 },
    );
    expect((await api.call('/healthz')).status).toBe(200);
    expect([...statuses.keys()]).toEqual(expect.arrayContaining(['202', '400', '413', '415']));
    const partial = async () =>
      (await spooledFiles(api.spoolFolder)).filter((name) => name.endsWith('.partial'));
    await expect.poll(partial, { timeout: 60_000 }).toEqual([]);
  });
});

test('a folder, a pipe of names and a path of any kind are no sources', async () => {
  await mkdir(join(sources, 'folder'));
  for (const path of [
    'folder',
    '..',
    '/',
    '\0',
    'a/'.repeat(3000),
    'folder/../../x',
    '%2e%2e/x',
    '~',
    'C:\\x',
  ]) {
    const { status, body } = await api.json('POST', JOBS, { source: { path } });
    expect([403, 422], path).toContain(status);
    expect(body).toMatchObject({ code: expect.stringMatching(/^source_(forbidden|unreadable)$/) });
  }
});

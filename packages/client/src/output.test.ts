import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClient, type Client } from './index.ts';
import { FakeServer, json } from './fake-server.ts';

let server: FakeServer;
let client: Client;
const FILE = Buffer.from('0123456789'.repeat(10));

beforeEach(async () => {
  server = await FakeServer.start();
  client = createClient({ url: server.url, pausesMs: [1, 1] });
});
afterEach(() => server.stop());

/** The file, or the requested range of it; the connection breaks after this many bytes. */
const file =
  (breaksAfter = Infinity): FakeServer['answers'][number] =>
  (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const rest = FILE.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length, etag: '"one"' });
    if (breaksAfter >= rest.length) response.end(rest);
    else response.write(rest.subarray(0, breaksAfter), () => response.destroy());
  };

async function received(from = 0): Promise<string> {
  return Buffer.concat(await Array.fromAsync(client.jobs.output('j', { from }))).toString();
}

test('a file whose connection breaks goes on where it broke, each byte once', async () => {
  server.answers = [file(30), file(0), file(25), file()];
  expect(await received()).toBe(FILE.toString());
  expect(server.seen.map(({ headers }) => headers.range)).toEqual([
    undefined,
    'bytes=30-',
    'bytes=30-',
    'bytes=55-',
  ]);
  expect(server.seen.at(-1)?.headers['if-range']).toBe('"one"');
});

test('the rest of a file of which some is there', async () => {
  server.answers = [file()];
  expect(await received(90)).toBe('0123456789');
});

test('a file that is another one meanwhile is not mixed with what was received', async () => {
  const other: FakeServer['answers'][number] = (_, response) =>
    void response.writeHead(200).end('another file');
  server.answers = [file(30), other];
  await expect(received()).rejects.toMatchObject({ code: 'unexpected_answer' });
});

test('an export of which the job failed fails as it did', async () => {
  const failed = { id: 'j', state: 'failed', error: { code: 'export_incomplete', message: 'not all of it' } };
  const end: FakeServer['answers'][number] = (_, response) =>
    void response
      .writeHead(200, { 'content-type': 'text/event-stream' })
      .end(`event: end\ndata: ${JSON.stringify(failed)}\n\n`);
  server.answers = [json({ id: 'j', state: 'queued' }, 202), end];
  await expect(Array.fromAsync(client.export('c'))).rejects.toMatchObject({
    code: 'export_incomplete',
    message: 'not all of it',
  });
});

import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClient, type Client, type Job } from './index.ts';
import { readEvents, type ServerEvent } from './events.ts';
import { FakeServer, json, problem, reset } from './fake-server.ts';

let server: FakeServer;
let client: Client;

beforeEach(async () => {
  server = await FakeServer.start();
  client = createClient({ url: server.url, pausesMs: [] });
});
afterEach(() => server.stop());

const job = (state: Job['state'], done: number) => ({ id: 'j', state, done });
const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
/** A stream of events that ends, or breaks. */
const events =
  (text: string, breaks = false): FakeServer['answers'][number] =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(text, () => void (breaks ? response.destroy() : response.end()));
  };

async function states(options = {}): Promise<string[]> {
  const seen: string[] = [];
  for await (const { state, done } of client.watch('j', { pollMs: 1, ...options }))
    seen.push(`${state} ${done}`);
  return seen;
}

test('takes a job’s events until the last', async () => {
  server.answers = [
    events(event('progress', job('running', 2)) + ': hello\n\n' + event('end', job('completed', 4))),
  ];
  expect(await states()).toEqual(['running 2', 'completed 4']);
  expect(server.seen).toHaveLength(1);
});

test('asks for them again when the connection breaks, or the server is away for a while', async () => {
  server.answers = [
    events(event('progress', job('running', 1)), true),
    reset,
    problem('queue_unavailable', 503, true),
    events(event('end', job('completed', 4))),
  ];
  expect(await states()).toEqual(['running 1', 'completed 4']);
});

test('asks for the job where events do not get through, and where a stream ends without the end', async () => {
  const page: FakeServer['answers'][number] = (_, response) =>
    void response.writeHead(200, { 'content-type': 'text/html' }).end('no');
  server.answers = [page, json(job('running', 2)), events(''), json(job('completed', 4))];
  expect(await states()).toEqual(['running 2', 'completed 4']);
});

test('a stream that falls silent is asked for again', async () => {
  const hanging: FakeServer['answers'][number] = (_, response) =>
    void response
      .writeHead(200, { 'content-type': 'text/event-stream' })
      .write(event('progress', job('running', 2)));
  server.answers = [hanging, events(event('end', job('completed', 4)))];
  expect(await states({ silenceMs: 50 })).toEqual(['running 2', 'completed 4']);
});

test('gives up on a server that stays away, and at once on a job that is not there', async () => {
  server.answers = [reset];
  await expect(states({ patienceMs: 20 })).rejects.toMatchObject({ code: 'unreachable' });
  server.answers = [problem('job_not_found', 404, false)];
  await expect(states()).rejects.toMatchObject({ code: 'job_not_found' });
});

async function parse(...chunks: string[]): Promise<ServerEvent[]> {
  const encoder = new TextEncoder();
  return Array.fromAsync(readEvents(ReadableStream.from(chunks.map((chunk) => encoder.encode(chunk)))));
}

test('events are read whatever their line ends, and wherever the chunks are cut', async () => {
  const wanted = [
    { event: 'progress', data: '{"a":1}' },
    { event: 'message', data: 'one\ntwo' },
  ];
  const whole = ': hello\n\nevent: progress\ndata: {"a":1}\n\nid: 7\ndata:one\ndata: two\n\n';
  expect(await parse(whole)).toEqual(wanted);
  expect(await parse(whole.replaceAll('\n', '\r\n'))).toEqual(wanted);
  for (let at = 1; at < whole.length; at++)
    expect(await parse(whole.slice(0, at), whole.slice(at))).toEqual(wanted);
  expect(await parse(...whole.replaceAll('\n', '\r\n').split(/(?<=\r)/))).toEqual(wanted);
  expect(await parse('event: end\ndata: {}')).toEqual([]);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { Client } from './client.ts';
import { readEvents, type ServerEvent } from './events.ts';
import { FakeApi } from './fake-api.ts';
import { followJob } from './follow.ts';
import { Unreachable } from './server-error.ts';
import { documentSource, submitDocuments } from './upload.ts';

let folder: string;
let api: FakeApi;
let client: Client;
const never = new AbortController().signal;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-cli-'));
  api = await FakeApi.start();
  client = new Client(`${api.url}/`, never);
  await client.createCollection('c', {});
});
afterEach(async () => {
  await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

function ndjson(lines: number): string {
  const path = join(folder, 'documents.ndjson');
  writeFileSync(path, Array.from({ length: lines }, (_, n) => `{"id":${n},"text":"text ${n}"}\n`).join(''));
  return path;
}

const submit = async (lines = 4): Promise<Job> =>
  submitDocuments(client, 'c', await documentSource(ndjson(lines)), { signal: never, pauseMs: 1 });

async function statesOf(job: Job): Promise<string[]> {
  const states: string[] = [];
  for await (const { state, done } of followJob(client, job.id, never, { pollMs: 1 }))
    states.push(`${state} ${done}`);
  return states;
}

describe('following a job', () => {
  test('takes its events until the last', async () => {
    expect(await statesOf(await submit())).toEqual(['running 2', 'completed 4']);
    expect(api.eventRequests).toBe(1);
  });

  test('asks for them again when the connection breaks', async () => {
    api.events = 'cut';
    expect((await statesOf(await submit())).at(-1)).toBe('completed 4');
    expect(api.eventRequests).toBeGreaterThan(1);
  });

  test('asks for the job where events do not get through', async () => {
    api.events = 'none';
    expect(await statesOf(await submit())).toEqual(['running 2', 'completed 4']);
  });

  test('gives up on a server that stays away', async () => {
    const job = await submit();
    await api.stop();
    const follow = async () => {
      for await (const { id } of followJob(client, job.id, never, { pollMs: 1, patienceMs: 20 }))
        expect(id).toBe('no job');
    };
    await expect(follow()).rejects.toBeInstanceOf(Unreachable);
    api = await FakeApi.start();
  });
});

describe('uploading', () => {
  test('a file that broke off is sent again with the same key', async () => {
    api.breakUploads = 2;
    const job = await submit(1000);
    expect(api.uploads.get(job.id)).toHaveLength(1000);
    expect(api.keys).toHaveLength(3);
    expect(new Set(api.keys).size).toBe(1);
  });

  test('every submission has a key of its own', async () => {
    await submit();
    await submit();
    expect(new Set(api.keys).size).toBe(2);
  });

  test('standard input that broke off is not: it cannot be read twice', async () => {
    api.breakUploads = 1;
    const stdin = Readable.from([Buffer.from('{"id":1,"text":"one"}\n')]);
    const source = await documentSource('-', { stdin });
    await expect(submitDocuments(client, 'c', source, { signal: never, pauseMs: 1 })).rejects.toBeInstanceOf(
      Unreachable,
    );
    expect(api.keys).toHaveLength(1);
  });

  test('standard input is streamed', async () => {
    const stdin = new PassThrough();
    const submitted = submitDocuments(client, 'c', await documentSource('-', { stdin }), { signal: never });
    stdin.write('{"id":1,"te');
    stdin.end('xt":"one"}\n');
    expect(api.uploads.get((await submitted).id)).toEqual(['{"id":1,"text":"one"}']);
  });

  test('progress counts the bytes sent', async () => {
    const source = await documentSource(ndjson(5000));
    let sent = 0;
    await submitDocuments(client, 'c', source, { signal: never, onSent: (bytes) => (sent = bytes) });
    expect(sent).toBe(source.size);
  });

  test('an empty file is an empty upload', async () => {
    const job = await submit(0);
    expect(api.uploads.get(job.id)).toEqual([]);
  });

  test('what the API refuses is not tried again', async () => {
    const source = await documentSource(ndjson(1));
    const refused = submitDocuments(client, 'nope', source, { signal: never, pauseMs: 1 });
    await expect(refused).rejects.toMatchObject({ code: 'collection_not_found', status: 404 });
  });
});

describe('server-sent events', () => {
  async function parse(...chunks: string[]): Promise<ServerEvent[]> {
    const body = Readable.toWeb(Readable.from(chunks.map((chunk) => Buffer.from(chunk))));
    const events: ServerEvent[] = [];
    for await (const event of readEvents(body as ReadableStream<Uint8Array<ArrayBuffer>>)) events.push(event);
    return events;
  }

  test('are read whatever their line ends, and wherever the chunks are cut', async () => {
    const wanted = [
      { event: 'progress', data: '{"a":1}' },
      { event: 'message', data: 'one\ntwo' },
    ];
    const whole = ': hello\n\nevent: progress\ndata: {"a":1}\n\nid: 7\ndata:one\ndata: two\n\n';
    expect(await parse(whole)).toEqual(wanted);
    expect(await parse(whole.replaceAll('\n', '\r\n'))).toEqual(wanted);
    for (let at = 1; at < whole.length; at++) {
      expect(await parse(whole.slice(0, at), whole.slice(at))).toEqual(wanted);
      expect(await parse(...whole.replaceAll('\n', '\r\n').split(/(?<=\r)/))).toEqual(wanted);
    }
  });

  test('an event that was cut off is dropped', async () => {
    expect(await parse('event: end\ndata: {}')).toEqual([]);
  });
});

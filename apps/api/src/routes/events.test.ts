import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job, JobId } from '@embedmill/jobs';
import { JobWatch, type JobEvent } from '../jobs/job-watch.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi({ heartbeatMs: 30 });
  await api.json('POST', '/api/v1/collections', { name: 'docs' });
});
afterAll(() => api.close());

const submit = async () => (await (await api.submit('docs', '{"id":"a","text":"x"}\n')).json()) as Job;

interface Sent {
  event: string;
  job: Job;
}

/** Reads a stream of events to its end, or until `enough`. */
async function readEvents(
  response: Response,
  enough: (text: string) => boolean = () => false,
): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (enough(text)) break;
  }
  return text;
}

function parseEvents(text: string): Sent[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('event: '))
    .map((block) => {
      const [, event = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
      return { event, job: JSON.parse(data) as Job };
    });
}

test('a client sees each change, comments in between, and the end, and then the stream closes', async () => {
  const job = await submit();
  const response = await api.call(`/api/v1/jobs/${job.id}/events`);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-cache');
  let cancelled = false;
  const text = await readEvents(response, (so_far) => {
    if (!cancelled && so_far.includes(': still here')) {
      cancelled = true;
      void api.json('POST', `/api/v1/jobs/${job.id}/cancel`).then(() => api.dispatch());
    }
    return false;
  });
  const events = parseEvents(text);
  expect(events[0]).toMatchObject({ event: 'progress', job: { id: job.id, state: 'queued' } });
  expect(events.at(-1)).toMatchObject({ event: 'end', job: { id: job.id, state: 'cancelled' } });
  expect(events.filter(({ event }) => event === 'end')).toHaveLength(1);
  expect(events.slice(0, -1).every(({ event }) => event === 'progress')).toBe(true);
  const late = parseEvents(await readEvents(await api.call(`/api/v1/jobs/${job.id}/events`)));
  expect(late.map(({ event }) => event)).toEqual(['progress', 'end']);
});

test('clients that go away are forgotten, and the server can close while others listen', async () => {
  const own = await startTestApi({ heartbeatMs: 30 });
  try {
    await own.json('POST', '/api/v1/collections', { name: 'docs' });
    const job = (await (await own.submit('docs', '{"id":"a","text":"x"}\n')).json()) as Job;
    let looks = 0;
    const { getJob } = own.parts.queue;
    own.parts.queue.getJob = function (id: JobId) {
      looks += 1;
      return getJob.call(this, id);
    };
    const clients = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const client = request(new URL(`/api/v1/jobs/${job.id}/events`, own.url));
        client.on('error', () => {}).end();
        await new Promise((resolve) => client.on('response', (response) => response.once('data', resolve)));
        return client;
      }),
    );
    for (const client of clients) client.destroy();
    let before = -1;
    await expect
      .poll(
        () => {
          const still = looks === before;
          before = looks;
          return still;
        },
        { timeout: 60_000, interval: 600 },
      )
      .toBe(true);
    const listening = await own.call(`/api/v1/jobs/${job.id}/events`);
    const text = readEvents(listening);
    await own.close();
    expect(parseEvents(await text).map(({ event }) => event)).toEqual(['progress']);
  } finally {
    await own.close();
  }
});

let seconds = 0;
/** With a time that differs from all before. */
function jobIn(state: Job['state'], done = 0): Job {
  seconds += 1;
  return { id: 'j', state, done, seconds } as Job;
}

/** A watch on a job that returns the given states one by one, repeating the last one. */
function watchOver(states: (Job | undefined | Error)[]) {
  const counts = { looks: 0 };
  const watch = new JobWatch(async () => {
    const state = states[Math.min(counts.looks, states.length - 1)];
    counts.looks += 1;
    if (state instanceof Error) throw state;
    return state;
  }, 1);
  return { watch, counts };
}

const until = (watch: JobWatch, id: string) =>
  new Promise<JobEvent[]>((resolve) => {
    const events: JobEvent[] = [];
    watch.listen(id as JobId, (event) => {
      events.push(event);
      if (event.kind === 'end') resolve(events);
    });
  });

test('only changes are sent, an unavailable queue is waited for, and the end is sent once', async () => {
  const running = jobIn('running', 1);
  const { watch } = watchOver([
    ...[jobIn('queued'), running, { ...running, seconds: 9 }, new Error('no queue'), jobIn('running', 2)],
    jobIn('completed', 3),
  ]);
  const events = await until(watch, 'j');
  expect(events.map(({ kind, job }) => [kind, job?.done])).toEqual([
    ...[
      ['progress', 0],
      ['progress', 1],
      ['progress', 2],
      ['progress', 3],
      ['end', 3],
    ],
  ]);
  expect(watch.size).toBe(0);
});

test('many listeners share one check per interval, and the last one to leave ends it', async () => {
  const looks = { j: 0, clock: 0 };
  const watch = new JobWatch(async (id) => {
    looks[id as 'j' | 'clock'] += 1;
    return jobIn('running');
  }, 1);
  watch.listen('clock' as JobId, () => {});
  const tick = async () => {
    const from = looks.clock;
    await expect.poll(() => looks.clock, { interval: 1 }).toBeGreaterThan(from + 3);
  };
  const stops = Array.from({ length: 50 }, () => watch.listen('j' as JobId, () => {}));
  await tick();
  expect(looks.j).toBeGreaterThan(1);
  expect(looks.j).toBeLessThanOrEqual(looks.clock + 1);
  for (const stop of stops) stop();
  expect(watch.size).toBe(1);
  const before = looks.j;
  await tick();
  expect(looks.j).toBe(before);
  watch.close();
});

test('a removed job ends the stream without a last event, and so does closing the watch', async () => {
  expect(await until(watchOver([jobIn('running'), undefined]).watch, 'j')).toMatchObject([
    ...[{ kind: 'progress' }, { kind: 'end', job: undefined }],
  ]);
  const { watch } = watchOver([jobIn('running')]);
  const ended = until(watch, 'j');
  watch.close();
  expect(await ended).toEqual([{ kind: 'end', job: undefined }]);
  expect(watch.size).toBe(0);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStoringApi, STORES, type StoringApi } from '../../../apps/api/src/testing/storing-api.ts';
import { createClient, type EmbedmillError, type Job, type SubmitOptions } from './index.ts';

/** Files in parts, over a connection that breaks, to the real routes and the real spool. */
const DOCUMENTS = Array.from({ length: 12 }, (_, n) => ({ id: `d${n}`, text: `whale number ${n}` }));
const FILE = new Blob([DOCUMENTS.map((document) => `${JSON.stringify(document)}\n`).join('')]);
const PART_BYTES = Math.ceil(FILE.size / 4);

let storing: StoringApi;
beforeAll(async () => {
  storing = await startStoringApi(STORES[0]![1]);
});
afterAll(() => storing.api.close());

type Broken = (request: Request, send: () => Promise<Response>) => Promise<Response>;

/** Submits the file where each request whose path ends with `path` is dealt with by the next of `broken`. */
async function submitted(name: string, path: string, broken: Broken[], options: SubmitOptions = {}) {
  const { url } = storing.api;
  await createClient({ url }).collections.create(name);
  const seen: string[] = [];
  const client = createClient({
    url,
    pausesMs: [1],
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      seen.push(`${request.method} ${pathname.replace(/upload_\w+|file-\w+/, 'id')}`);
      const deal = pathname.endsWith(path) && request.method === 'POST' ? broken.shift() : undefined;
      return deal === undefined ? fetch(request) : deal(request, () => fetch(request));
    },
  });
  const submission = client.submit(name, FILE, { partBytes: PART_BYTES, ...options });
  return { submission, seen, finished: async ({ id }: Job) => client.jobs.finished(id) };
}

const whole: Broken = (_, send) => send();
const cut: Broken = () => Promise.reject(new TypeError('fetch failed'));
const answerLost: Broken = async (_, send) => {
  await send();
  throw new TypeError('fetch failed');
};

const partsIn = (seen: string[]): number => seen.filter((one) => one.endsWith('/parts')).length;

test('a file goes on where it was: what was cut is sent again, what only its answer was lost of is not', async () => {
  const retries: EmbedmillError[] = [];
  const broken = [whole, answerLost, cut];
  const options = { onRetry: (error: EmbedmillError) => void retries.push(error) };
  const { submission, seen, finished } = await submitted('goes-on', '/parts', broken, options);
  const job = await finished(await submission);
  expect(job).toMatchObject({ state: 'completed', source: 'upload', documents: 12, stored: 12, failed: 0 });
  expect(partsIn(seen)).toBe(5);
  expect(retries.map(({ code }) => code)).toEqual(['unreachable', 'unreachable']);
  // Nothing is left on the server but the job.
  expect(seen.at(-2)).toBe('DELETE /v1/files/id');
  const files = await fetch(`${storing.api.url}/v1/files`);
  expect(await files.json()).toMatchObject({ data: [] });
});

test('a part that arrives twice, the one late, is in the file once', async () => {
  let late: () => Promise<Response> = () => Promise.reject(new Error('nothing is late'));
  const broken: Broken[] = [
    async (request) => {
      const body = new Uint8Array(await request.clone().arrayBuffer());
      const { url, headers } = request;
      late = () => fetch(url, { method: 'POST', headers, body });
      throw new TypeError('fetch failed');
    },
    async (_, send) => {
      await late();
      return send();
    },
    cut,
  ];
  const { submission, seen, finished } = await submitted('late', '/parts', broken);
  expect(await finished(await submission)).toMatchObject({ documents: 12, stored: 12, duplicates: 0 });
  expect(partsIn(seen)).toBe(6);
});

test('joining and submitting are asked again where their answers are lost, and there is one job', async () => {
  const joined = await submitted('joined', '/complete', [answerLost, cut]);
  expect(await joined.finished(await joined.submission)).toMatchObject({ documents: 12, stored: 12 });
  const accepted = await submitted('accepted', '/jobs', [answerLost]);
  await accepted.finished(await accepted.submission);
  const { jobs } = await createClient({ url: storing.api.url }).jobs.list({ collection: 'accepted' });
  expect(jobs).toHaveLength(1);
});

test('a server that stays away is given up after a while', async () => {
  const broken = Array.from({ length: 100 }, () => cut);
  const { submission, seen } = await submitted('away', '/parts', broken, { patienceMs: 5 });
  await expect(submission).rejects.toMatchObject({ code: 'unreachable' });
  expect(partsIn(seen)).toBe(6);
});

test('one request where the key may keep no files, or the type says no format', async () => {
  const refused: Broken = () =>
    Promise.resolve(
      Response.json(
        { error: { message: 'no', type: 'forbidden', param: null, code: 'forbidden' } },
        { status: 403 },
      ),
    );
  const kept = await submitted('kept', '/v1/uploads', [refused]);
  expect(await kept.finished(await kept.submission)).toMatchObject({ stored: 12 });
  expect(kept.seen).toContain('POST /api/v1/collections/kept/jobs');
  const typed = await submitted('typed', '/v1/uploads', [], { type: 'text/csv; charset=windows-1252' });
  await typed.submission;
  expect(partsIn(typed.seen)).toBe(0);
});

test('the same key with the same file is the same job, whichever way the file comes', async () => {
  const options = { idempotencyKey: 'same-file' };
  const inParts = await submitted('same', '/parts', [], options);
  const { id } = await inParts.submission;
  const again = await submitted('same', '/parts', [], options);
  expect(await again.submission).toMatchObject({ id });
  const atOnce = await submitted('same', '/parts', [], { ...options, partBytes: FILE.size });
  expect(await atOnce.submission).toMatchObject({ id });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { JobId, SourceEncoding, StoredSource } from '@embedmill/jobs';
import { Spool } from '@embedmill/sources';
import { SourceThreads, USUAL_THREADS, type ThreadLimits } from './source-threads.ts';

const JOB = 'job_1' as JobId;
let folder: string;
let spool: Spool;
const open: SourceThreads[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-threads-'));
  spool = await Spool.open(folder);
});
afterEach(async () => {
  for (const threads of open.splice(0)) await threads.close();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function threadsOf(limits: Partial<ThreadLimits> = {}): SourceThreads {
  const threads = new SourceThreads(spool, { ...USUAL_THREADS, ...limits });
  open.push(threads);
  return threads;
}

async function sourceOf(bytes: string | Uint8Array): Promise<StoredSource> {
  async function* body() {
    yield Buffer.from(bytes);
  }
  return (await spool.receive(JOB, body(), { maxBytes: 1e9 })).source;
}

const encodingOf = (format: SourceEncoding['format'], gzip = false): SourceEncoding => ({ format, gzip });
const transcodeOf = (source: StoredSource, encoding: SourceEncoding) =>
  ({ job: JOB, source, encoding, filterable: {}, maxBytes: 1e9 }) as const;
const manifestOf = (source: StoredSource) =>
  ({
    job: JOB,
    source,
    filterable: {},
    scope: {},
    metadataBytes: undefined,
    maxFailures: undefined,
  }) as const;

const line = (metadata: string) => `{"id":"x","text":"y","metadata":${metadata}}\n`;
const wide = Array.from({ length: 75_000 }, (_, n) => `c${n}`).join(',');

/** Sources that blocked the API's event loop for seconds, or might. */
test.each<[string, () => string | Uint8Array, SourceEncoding | undefined]>([
  ['a CSV header of 75,000 columns', () => `id,text,${wide}\n${','.repeat(75_001)}\n`, encodingOf('csv')],
  ['a million empty cells', () => `id,text\n${','.repeat(1_000_000)}\n`, encodingOf('csv')],
  ['one cell of 30 MB', () => `id,text\na,"${'x\n'.repeat(15_000_000)}"\n`, encodingOf('csv')],
  ['quotes upon quotes', () => `id,text\n${'a,"\n'.repeat(200_000)}`, encodingOf('csv')],
  ['1,500,000 empty lists', () => line(`{"a":[${'[],'.repeat(1_500_000)}[]]}`), undefined],
  [
    'a million keys',
    () => line(`{${Array.from({ length: 1_000_000 }, (_, n) => `"k${n}":1`).join(',')}}`),
    undefined,
  ],
  ['lists a million deep', () => line('['.repeat(1_000_000) + ']'.repeat(1_000_000)), undefined],
  ['lines that are nothing, by the hundred thousand', () => '[]\n'.repeat(300_000), undefined],
  ['a document that comes again and again', () => '{"id":"a","text":"x"}\n'.repeat(200_000), undefined],
  ['a gzip of nothing but zeros', () => gzipSync(Buffer.alloc(60 * 1024 * 1024)), encodingOf('csv', true)],
])('%s is read, or refused, without keeping the event loop', async (_name, make, encoding) => {
  const source = await sourceOf(make());
  const threads = threadsOf();
  // The thread's start is not the source's fault.
  await threads.run('manifest', manifestOf(await sourceOf(line('{}'))));
  const stretches = new EventLoopStretches();
  const lines =
    encoding === undefined
      ? source
      : await threads.run('transcode', transcodeOf(source, encoding)).catch(() => undefined);
  if (lines !== undefined) await threads.run('manifest', manifestOf(lines));
  // In milliseconds of its own CPU time; reading one of these sources there takes tens of seconds.
  expect(stretches.end()).toBeLessThan(1000);
});

/** Measures this thread's CPU time between two turns of its event loop, which is independent of the machine's load. */
class EventLoopStretches {
  #longest = 0;
  #last = this.#worked();
  readonly #timer = setInterval(() => this.#look(), 1);

  /** The longest, in milliseconds. */
  end(): number {
    clearInterval(this.#timer);
    this.#look();
    return this.#longest;
  }

  #look(): void {
    const now = this.#worked();
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
  }

  #worked(): number {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  }
}

const ROWS = 50;
const WHOLE = new Uint8Array(
  parquetWriteBuffer({
    rowGroupSize: 20,
    columnData: [
      { name: 'id', data: Array.from({ length: ROWS }, (_, n) => BigInt(n)), type: 'INT64' },
      { name: 'text', data: Array.from({ length: ROWS }, (_, n) => `text ${n}`), type: 'STRING' },
      { name: 'tags', data: Array.from({ length: ROWS }, (_, n) => ({ a: [n] })), type: 'JSON' },
    ],
  }),
);

test('Parquet with any of its bytes changed is read or refused, and ends neither the process nor its memory', async () => {
  const threads = threadsOf({ heapMB: 128, silenceMs: 5000 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(WHOLE.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      async (changes) => {
        const bytes = Uint8Array.from(WHOLE);
        for (const [at, byte] of changes) bytes[at] = byte;
        const input = transcodeOf(await sourceOf(bytes), encodingOf('parquet'));
        await threads.run('transcode', input).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'source_unreadable' });
        });
      },
    ),
    { numRuns: 30 },
  );
});

test('a thread started in advance takes the first task', async () => {
  const input = manifestOf(await sourceOf('{"id":"a","text":"b"}\n'));
  const threads = threadsOf();
  threads.warmUp();
  expect(await threads.run('manifest', input)).toMatchObject({ documents: 1 });
});

test('a silent thread is terminated, and the next task gets another', async () => {
  const source = await sourceOf(line('{}').repeat(200_000));
  await expect(threadsOf({ silenceMs: 1 }).run('manifest', manifestOf(source))).rejects.toThrow(
    /its reader did not respond/,
  );
  expect(await threadsOf().run('manifest', manifestOf(source))).toMatchObject({ documents: 200_000 });
});

test('a task that exceeds its memory fails alone', async () => {
  const threads = threadsOf({ heapMB: 64 });
  const many = parquetWriteBuffer({
    rowGroupSize: 2_000_000,
    columnData: [
      { name: 'id', data: Array.from({ length: 2_000_000 }, (_, n) => n), type: 'INT32' },
      { name: 'text', data: Array.from({ length: 2_000_000 }, (_, n) => `text ${n}`), type: 'STRING' },
    ],
  });
  const input = transcodeOf(await sourceOf(new Uint8Array(many)), encodingOf('parquet'));
  await expect(threads.run('transcode', input)).rejects.toMatchObject({ code: 'source_unreadable' });
  const small = await sourceOf(line('{}'));
  expect(await threads.run('manifest', manifestOf(small))).toMatchObject({
    documents: 1,
    shards: 1,
    unnamed: 0,
  });
});

test('errors come through as they are, and a task that is not wanted any more ends', async () => {
  const threads = threadsOf();
  const gone = { kind: 'file', uri: 'file:///there/is/none', size: 1, modified: 0 } as const;
  await expect(threads.run('manifest', manifestOf(gone))).rejects.toMatchObject({
    code: 'source_unreadable',
  });
  const aborted = new AbortController();
  const running = threads.run('manifest', manifestOf(await sourceOf(line('{}').repeat(500_000))), {
    signal: aborted.signal,
  });
  aborted.abort(new Error('not wanted'));
  await expect(running).rejects.toThrow('not wanted');
});

test('a share with many tasks leaves a thread to shares without any', async () => {
  const threads = threadsOf({ threads: 2 });
  const large = await sourceOf(line('{}').repeat(100_000));
  const small = await sourceOf(line('{}'));
  const ended: string[] = [];
  const run = (share: string, source: StoredSource) =>
    threads.run('manifest', manifestOf(source), { share }).then(() => ended.push(share));
  const many = Array.from({ length: 4 }, () => run('many', large));
  await run('few', small);
  expect(ended.filter((share) => share === 'many').length).toBeLessThan(4);
  await Promise.all(many);
});

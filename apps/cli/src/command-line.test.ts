import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommandLine } from './command-line.ts';
import { FakeApi } from './testing/fake-api.ts';
import { Interruption } from './stack/interruption.ts';

let folder: string;
let api: FakeApi;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-cli-'));
  api = await FakeApi.start();
});
afterEach(async () => {
  await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function run(args: string[], options: { environment?: NodeJS.ProcessEnv; tty?: boolean } = {}) {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    write: (text: string) => (written[name] += text),
    isTTY: options.tty === true,
    columns: 60,
  });
  const code = await runCommandLine(args, {
    out: stream('out'),
    err: stream('err'),
    environment: { EMBEDMILL_URL: api.url, EMBEDMILL_DATA_DIR: folder, ...options.environment },
    interruption: new Interruption(),
  });
  return { code, ...written };
}

/** What --json printed: exactly one object on one line. */
async function runJson(...args: string[]): Promise<{ code: number; object: Record<string, unknown> }> {
  const { code, out, err } = await run([...args, '--json']);
  expect(out).toMatch(/^\{[^\n]*\}\n$/);
  if (code === 0 || code === 3) expect(err).toBe('');
  return { code, object: JSON.parse(out) as Record<string, unknown> };
}

function file(...lines: string[]): string {
  const path = join(folder, 'documents.ndjson');
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

const GOOD = '{"id":"a","text":"one"}';
const BAD = '{"id":"b"}';

test('pause and resume say what they did', async () => {
  expect(await run(['pause'])).toMatchObject({ code: 0, out: expect.stringContaining('"embedmill resume"') });
  expect(await runJson('pause')).toEqual({ code: 0, object: { paused: true } });
  expect(await runJson('resume')).toEqual({ code: 0, object: { paused: false } });
});

describe('wrong usage', () => {
  test.each([
    [['serch', 'c', 'q'], /Did you mean search/],
    [['submit', 'x.ndjson'], /--collection/],
    [['search', 'c', 'q', '--limit', 'many'], /whole number from 1 to 1000/],
    [['search', 'c', '  '], /query is empty/],
    [['search', 'c', 'q', '--image', 'a.png'], /cannot be combined with a query in words/],
    [['search', 'c', 'q', '--sparse', 'bm99'], /bm25, bm42, splade/],
    [['migrate', 'c'], /one of --to MODEL/],
    [['migrate', 'c', '--into', 'd', '--to', 'm'], /one of --to MODEL/],
    [['migrate', 'c', '--into', 'd', '--sparse', 'words'], /bm25, bm42, splade/],
    [['migrate', 'c', '--exchange', '--end'], /one of --to MODEL/],
    [['collections', 'create', 'c', '--sparse', 'bm25', '--language', 'klingon'], /english/],
    [['duplicates', 'c', '--threshold', '2'], /from 0 to 1/],
    [['collections', 'create', 'c', '--sparse', 'bm25', '--sparse-model', 'm'], /add --sparse splade/],
    [['eval', '/', '--modes', 'best'], /dense, bm25/],
    [['search', 'c', 'q', '--filter', '{"field"'], /--filter is not JSON/],
    [['search', 'c', 'q', '--filter', '{"year":3}'], /--filter is not a condition/],
    [['collections', 'create', 'With Spaces'], /must be 1 to 63/],
    [['collections', 'create', 'c', '--layout', 'shard=6'], /the names are shards, replicas.*"shard"/],
    [['collections', 'create', 'c', '--layout', 'shards=many'], /shards: .*expected (int|number)/],
    [['collections', 'create', 'c', '--layout', 'shards'], /Write it like shards=6,onDisk=true/],
    [['collections', 'create', 'c', '--filterable', 'year:number'], /field:type/],
    [['collections', 'create', 'c', '--no-chunking', '--overlap', '8'], /cannot be combined with/],
    [['jobs', '--state', 'sleeping'], /Allowed choices/],
    [['models', '--url', 'localhost:7070'], /such as http/],
    [['submit', '/nowhere/x.ndjson', '-c', 'c'], /cannot be read/],
  ])('%j ends with 2 and says what is wrong', async (args, message) => {
    const { code, out, err } = await run(args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(out).toBe('');
    expect(api.jobs.size).toBe(0);
  });

  test('a wrong environment variable is named', async () => {
    const { code, err } = await run(['jobs'], { environment: { EMBEDMILL_API_PORT: 'http' } });
    expect({ code, err }).toMatchObject({
      code: 2,
      err: expect.stringContaining('EMBEDMILL_API_PORT') as unknown,
    });
  });

  test('--help is no failure, and tells the exit codes', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    expect(out).toContain('3 the job finished with failed documents');
  });
});

describe('without a server', () => {
  test('the error says how to start one', async () => {
    const { code, err } = await run(['jobs'], { environment: { EMBEDMILL_URL: '' } });
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining('npx embedmill up') as unknown,
    });
  });

  test('a server that does not answer is named, with the reason', async () => {
    await api.stop();
    const { code, err } = await run(['jobs']);
    expect(code).toBe(1);
    expect(err).toContain(`no embedmill responds at ${api.url} (connect ECONNREFUSED`);
    api = await FakeApi.start();
  });

  test('--url goes before EMBEDMILL_URL, and --data too', async () => {
    expect((await run(['jobs', '--url', 'http://127.0.0.1:1'])).err).toContain('127.0.0.1:1');
    expect((await run(['jobs', '--data', folder])).err).toContain(
      `no embedmill runs on the data folder ${folder}`,
    );
  });
});

describe('collections', () => {
  test('create sends only what was asked for, and the server fills in the rest', async () => {
    expect(await run(['collections', 'create', 'plain'])).toMatchObject({ code: 0 });
    expect(api.collections.get('plain')?.chunking).toEqual({
      mode: 'tokens',
      overlap: 32,
    });
    await run([
      'collections',
      'create',
      'cut',
      '--chunk-size',
      '64',
      '--filterable',
      'year:integer',
      'lang:keyword',
    ]);
    expect(api.collections.get('cut')).toMatchObject({
      chunking: { mode: 'tokens', size: 64 },
      filterable: { year: 'integer', lang: 'keyword' },
    });
    await run([
      ...['collections', 'create', 'words', '--sparse', 'bm25,splade', '--language', 'german'],
      ...['--dims', '128', '--storage', 'int8'],
    ]);
    expect(api.collections.get('words')).toMatchObject({
      dims: 128,
      storage: 'int8',
      sparse: { bm25: { language: 'german', k1: 1.2 }, splade: { model: 'splade-tiny' } },
    });
    await run(['collections', 'create', 'own', '--sparse', 'splade', '--sparse-model', 'bge-m3']);
    expect(api.collections.get('own')).toMatchObject({ sparse: { splade: { model: 'bge-m3' } } });
    await run(['collections', 'create', 'wide', '--layout', 'shards=6, hnswM=0,onDisk=true']);
    expect(api.collections.get('wide')?.layout).toEqual({ shards: 6, hnswM: 0, onDisk: true });
    const bits = await run(['collections', 'create', 'bits', '--storage', 'binary']);
    expect(bits).toMatchObject({
      code: 0,
      err: expect.stringContaining('miss some of the nearest') as string,
    });
    await run(['collections', 'create', 'whole', '--no-chunking']);
    expect(api.collections.get('whole')?.chunking).toEqual({ mode: 'document' });
  });

  test.each(['zh', 'zh-TW', 'chinese'])(
    '--language %s chooses a model that reads it, and its words',
    async (said) => {
      const { out } = await run(['collections', 'create', 'zh', '--language', said]);
      expect(out).toContain('for the language chinese');
      expect(api.collections.get('zh')).toMatchObject({
        model: 'multilingual-e5-small-int8',
        sparse: { bm25: { language: 'chinese' } },
      });
    },
  );

  test('--language leaves what is said beside it', async () => {
    await run(['collections', 'create', 'a', '--language', 'zh', '--model', 'bge-m3', '--sparse', 'bm42']);
    expect(api.collections.get('a')).toMatchObject({
      model: 'bge-m3',
      sparse: { bm42: { language: 'chinese' } },
    });
    await run(['collections', 'create', 'b', '--language', 'en']);
    expect(api.collections.get('b')).toMatchObject({
      model: 'all-MiniLM-L6-v2',
      sparse: { bm25: { language: 'english' } },
    });
  });

  test('--sample finds the language in a file, packed or not', async () => {
    const documents = [
      { id: 'a', text: '河边的斜坡', metadata: { source: 'an English word' } },
      { id: 'b', text: '存钱的地方' },
    ];
    const lines = documents.map((document) => `${JSON.stringify(document)}\n`).join('');
    const files = {
      'zh.ndjson': lines,
      'zh.ndjson.gz': gzipSync(lines),
      'zh.json': JSON.stringify(documents),
      'zh.parquet': Buffer.from(
        parquetWriteBuffer({
          columnData: [
            { name: 'id', data: documents.map(({ id }) => id) },
            { name: 'text', data: documents.map(({ text }) => text) },
          ],
        }),
      ),
    };
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      writeFileSync(path, content);
      const { code, out } = await run(['collections', 'create', 'zh', '--sample', path]);
      expect(out).toContain(`for the language chinese: ${path} seems to be in it`);
      expect(code).toBe(0);
      expect(api.collections.get('zh')).toMatchObject({ model: 'multilingual-e5-small-int8' });
    }
    const table = join(folder, 'books.csv');
    writeFileSync(table, 'id,text\n1,"The whale and the captain, and what they were to each other"\n');
    await run(['collections', 'create', 'en', '--sample', table]);
    expect(api.collections.get('en')).toMatchObject({
      model: 'all-MiniLM-L6-v2',
      sparse: { bm25: { language: 'english' } },
    });
    expect(await run(['collections', 'create', 'c', '--sample', join(folder, 'none.ndjson')])).toMatchObject({
      code: 2,
      err: expect.stringContaining('none.ndjson cannot be read'),
    });
  });

  test('list, show and delete', async () => {
    await run(['collections', 'create', 'books']);
    expect((await run(['collections'])).out).toMatch(
      /NAME +DOCUMENTS +POINTS.*\nbooks +5 +7 +all-MiniLM-L6-v2 +384\n/,
    );
    expect((await runJson('collections', 'show', 'books')).object).toMatchObject({
      collection: { name: 'books' },
    });
    expect((await run(['collections', 'delete', 'books'])).code).toBe(0);
    expect(api.collections.size).toBe(0);
  });
});

describe('jobs', () => {
  beforeEach(() => run(['collections', 'create', 'c']));

  test('submit prints the job, and leaves it to itself', async () => {
    const { code, out } = await run(['submit', file(GOOD), '-c', 'c']);
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining('embedmill watch job_1') as unknown,
    });
    expect(api.uploads.get('job_1')).toEqual([GOOD]);
    expect(api.jobs.get('job_1')?.state).toBe('queued');
  });

  test('submit --wait follows it to its end: 0 when all is stored', async () => {
    const { code, object } = await runJson('submit', file(GOOD), '-c', 'c', '--wait');
    expect(code).toBe(0);
    expect(object).toMatchObject({
      job: 'job_1',
      state: 'completed',
      documents: 1,
      stored: 1,
      skipped: 0,
      failed: 0,
      chunks: 1,
      tokens: 9,
      seconds: 2,
    });
  });

  test('3 when documents failed; failures shows them, retry makes a job of them', async () => {
    const { code, out } = await run(['submit', file(GOOD, BAD), '-c', 'c', '--wait']);
    expect(code).toBe(3);
    expect(out).toContain('2 of 2 documents: 1 stored, 1 failed');
    expect((await run(['watch', 'job_1'])).code).toBe(3);
    expect((await run(['failures', 'job_1'])).out).toMatch(/^line 2 {2}.*missing_text: .*\n$/);
    const { object } = await runJson('failures', 'job_1');
    expect(object).toMatchObject({ job: 'job_1', failures: [{ line: 2, code: 'missing_text' }], more: 0 });
    api.unnamedFailures = 190_000;
    expect((await run(['failures', 'job_1'])).out).toMatch(/missing_text.*\nand 190,000 more, /);
    expect((await runJson('failures', 'job_1')).object).toMatchObject({ more: 190_000 });
    api.unnamedFailures = 0;
    expect((await run(['retry', 'job_1'])).out).toBe('job_2\n');
    expect(api.uploads.get('job_2')).toEqual([BAD]);
    expect((await run(['retry', 'job_1', '--wait'])).code).toBe(3);
    expect((await run(['retry', 'job_1', '--reason', 'missing_text', '--line', '1, 2'])).out).toBe('job_4\n');
    expect((await run(['retry', 'job_1', '--reason', 'malformed_json'])).err).toContain('has no failures');
    expect((await run(['retry', 'job_1', '--line', '0'])).code).toBe(2);
  });

  test('trying again is advised where a failure may pass by itself, and nowhere else', async () => {
    const { out } = await run(['submit', file(GOOD, BAD), '-c', 'c', '--wait']);
    expect(out).toContain('embedmill failures job_1');
    expect(out).not.toContain('embedmill retry');
    api.failuresMayPass = true;
    expect((await run(['watch', 'job_1'])).out).toContain('retry them with "embedmill retry job_1"');
  });

  test('verify says what is stored and what is missing, and follows the job that stores it', async () => {
    await run(['submit', file(GOOD, BAD, '{"id":"lost1","text":"x"}'), '-c', 'c', '--wait']);
    const { code, out, err } = await run(['verify', 'job_1']);
    expect({ code, out }).toEqual({
      code: 0,
      out: 'job job_1 is completed: of 3 documents 1 are stored, 1 are among its failures, 1 are missing\n',
    });
    expect(err).toContain('job_2 stores the missing documents');
    expect((await runJson('verify', 'job_1')).object).toMatchObject({ missing: 1, missingIds: ['lost1'] });
    expect((await runJson('verify', 'job_1', '--wait')).object).toMatchObject({ job: 'job_4', stored: 1 });
  });

  test('a sync says that it is one, of which source, and how much may go', async () => {
    await run(['collections', 'create', 'c']);
    await run(['submit', file(GOOD), '-c', 'c', '--sync', '--source-name', 'wiki', '--max-deleted', '50%']);
    expect(api.submissions.at(-1)?.reading).toEqual({
      mode: 'snapshot',
      sourceName: 'wiki',
      maxDeleted: '0.5',
    });
    expect((await run(['submit', file(GOOD), '-c', 'c', '--max-deleted', '1'])).err).toContain('--sync');
    expect((await run(['submit', file(GOOD), '-c', 'c', '--sync', '--max-deleted', '2'])).code).toBe(2);
  });

  test('documents are deleted by ids, by a file of them, or by a filter, and counted by a dry run', async () => {
    await run(['collections', 'create', 'c']);
    const ids = file('a', '', '  b ', 'c');
    expect((await runJson('delete', 'c', '--ids', ids, '--dry-run')).object).toEqual({ documents: 3 });
    expect((await run(['delete', 'c', 'a', 'b', '--dry-run'])).out).toBe('2 documents would be deleted\n');
    expect((await runJson('delete', 'c', 'a', 'b')).object).toMatchObject({ job: 'job_1', documents: 2 });
    expect((await runJson('delete', 'c', '--ids', ids)).object).toMatchObject({ job: 'job_2', documents: 3 });
    expect(api.uploads.get('job_2')).toEqual([
      '{"id":"a","deleted":true}',
      '{"id":"b","deleted":true}',
      '{"id":"c","deleted":true}',
    ]);
    const filter = '{"field":"year","lt":2000}';
    expect((await run(['delete', 'c', '--filter', filter])).code).toBe(0);
    for (const wrong of [[], ['a', '--filter', filter], ['--filter', 'x'], ['--ids', ids, 'a']])
      expect((await run(['delete', 'c', ...wrong])).code).toBe(2);
  });

  test('a job has the priority that it is submitted with, or is given later', async () => {
    await run(['submit', file(GOOD), '-c', 'c', '--priority', 'background']);
    expect((await runJson('jobs')).object).toMatchObject({ jobs: [{ priority: 'background' }] });
    expect((await run(['prioritize', 'job_1', 'urgent'])).out).toBe('job job_1 is urgent now\n');
    expect((await run(['jobs'])).out).toMatch(/job_1 +c +queued +urgent/);
    expect(await run(['prioritize', 'job_1', 'soon'])).toMatchObject({ code: 2 });
    await run(['cancel', 'job_1']);
    expect(await run(['prioritize', 'job_1', 'normal'])).toMatchObject({ code: 1 });
  });

  test('usage is printed as a table, as CSV or as one object', async () => {
    const { out } = await run(['usage', '--by', 'tenant']);
    expect(out).toMatch(/TENANT +DOCUMENTS +TOKENS +ENGINE S +COST\nacme +3 +1,234 +1.5 +0.25\ntotal +3 /);
    expect((await run(['usage', '--format', 'csv'])).out).toBe('tenant,documents\nacme,3\n');
    const { object } = await runJson('usage', '--from', '2026-11-05', '--by', 'tenant');
    expect(object).toMatchObject({ from: '2026-11-05', rows: [{ tenant: 'acme', tokens: 1234 }] });
  });

  test('1 when the job was cancelled, and what the API refuses is said', async () => {
    await run(['submit', file(GOOD), '-c', 'c']);
    expect((await run(['cancel', 'job_1'])).out).toBe('job job_1 is cancelled\n');
    expect((await run(['watch', 'job_1'])).code).toBe(1);
    expect(await run(['cancel', 'job_1'])).toMatchObject({
      code: 1,
      err: 'error: job job_1 is cancelled already\n',
    });
    expect(await runJson('watch', 'job_7')).toEqual({
      code: 1,
      object: { error: { code: 'job_not_found', message: 'there is no job job_7' } },
    });
  });

  test('a finished job can be forgotten', async () => {
    await run(['submit', file(GOOD), '-c', 'c']);
    expect(await run(['forget', 'job_1'])).toMatchObject({ code: 1, err: 'error: job job_1 is queued\n' });
    await run(['watch', 'job_1']);
    expect(await run(['forget', 'job_1'])).toMatchObject({ code: 0, out: 'job job_1 is forgotten\n' });
    expect((await runJson('jobs')).object).toEqual({ jobs: [], next: null });
  });

  test('jobs goes on page by page, as far as is asked for, and says where more are', async () => {
    for (let n = 0; n < 5; n += 1) await run(['submit', file(GOOD), '-c', 'c']);
    const idsOf = (object: Record<string, unknown>) =>
      (object['jobs'] as { job: string }[]).map(({ job }) => job);
    const all = (await runJson('jobs')).object;
    expect(idsOf(all)).toEqual(['job_5', 'job_4', 'job_3', 'job_2', 'job_1']);
    expect(all['next']).toBeNull();
    const { object } = await runJson('jobs', '--limit', '3');
    expect(idsOf(object)).toEqual(['job_5', 'job_4', 'job_3']);
    expect((await run(['jobs', '--limit', '3'])).err).toContain('--after job_3');
    expect(idsOf((await runJson('jobs', '--after', String(object['next']))).object)).toEqual([
      'job_2',
      'job_1',
    ]);
    await run([
      'jobs',
      '--tenant',
      'acme',
      '--source',
      'wiki',
      '--text',
      'x',
      '--state',
      'failed',
      '-c',
      'c',
    ]);
    const filters = { tenant: 'acme', source: 'wiki', text: 'x', state: 'failed', collection: 'c' };
    expect(api.jobFilters.at(-1)).toEqual(filters);
  });

  test('jobs lists the newest first', async () => {
    await run(['submit', file(GOOD), '-c', 'c']);
    await run(['submit', file(GOOD), '-c', 'c', '--wait']);
    const { object } = await runJson('jobs');
    expect((object['jobs'] as { job: string }[]).map(({ job }) => job)).toEqual(['job_2', 'job_1']);
    expect((await run(['jobs'])).out).toMatch(
      /^JOB +COLLECTION .*\njob_2 +c +completed .*\njob_1 +c +queued /,
    );
  });

  test('a JSON array is sent as lines', async () => {
    const path = join(folder, 'array.json');
    writeFileSync(path, `\uFEFF [${GOOD},\n ${GOOD}]`);
    expect((await run(['submit', path, '-c', 'c'])).code).toBe(0);
    expect(api.uploads.get('job_1')).toEqual([GOOD, GOOD]);
  });

  test.each([
    ['documents.ndjson', false, [], 'application/x-ndjson', undefined],
    ['documents.jsonl.gz', true, [], 'application/x-ndjson', 'gzip'],
    ['table.csv', false, ['--columns', 'id=sku,metadata=year,metadata=by'], 'text/csv', undefined],
    ['table', true, ['--format', 'csv'], 'text/csv', 'gzip'],
    ['table.parquet', false, [], 'application/vnd.apache.parquet', undefined],
  ])('%s is uploaded as what it is', async (name, packed, options, type, encoding) => {
    const path = join(folder, name);
    writeFileSync(path, packed ? gzipSync(GOOD) : GOOD);
    expect((await run(['submit', path, '-c', 'c', ...options])).code).toBe(0);
    expect(api.submissions.at(-1)).toMatchObject({ type, encoding });
    const { columns } = api.submissions.at(-1)!;
    expect(columns).toEqual(
      options.length > 0 && name === 'table.csv' ? { id: 'sku', metadata: ['year', 'by'] } : undefined,
    );
  });

  test.each([
    ['table.tsv', [], 'text/csv', { delimiter: '\t' }],
    ['table.tsv', ['--delimiter', '|'], 'text/csv', { delimiter: '|' }],
    [
      'table.csv',
      ['--delimiter', 'tab', '--encoding', 'latin1', '--list-separator', ';'],
      'text/csv',
      { delimiter: '\t', encoding: 'windows-1252', listSeparator: ';' },
    ],
    ['lines.ndjson', ['--metadata', 'rest'], 'application/x-ndjson', { metadata: 'rest' }],
    ['lines.ndjson', ['--metadata', 'year, by'], 'application/x-ndjson', { metadata: 'year,by' }],
  ])('%s with %j is uploaded with how it is to be read', async (name, options, type, reading) => {
    const path = join(folder, name);
    writeFileSync(path, GOOD);
    expect((await run(['submit', path, '-c', 'c', ...options])).code).toBe(0);
    expect(api.submissions.at(-1)).toMatchObject({ type, reading });
  });

  test('an array of documents keeps its numbers, and is refused where it is no UTF-8', async () => {
    const path = join(folder, 'numbers.json');
    writeFileSync(path, '[{"id":12345678901234567890,"text":"x"}]');
    expect((await run(['submit', path, '-c', 'c'])).code).toBe(0);
    expect([...api.uploads.values()].at(-1)).toEqual(['{"id":"12345678901234567890","text":"x"}']);
    writeFileSync(path, Buffer.from('[{"id":1,"text":"caf\xe9"}]', 'latin1'));
    expect(await run(['submit', path, '-c', 'c'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/not valid UTF-8/) as unknown,
    });
  });

  test.each([
    ['s3://b/in/x.csv', { s3: 's3://b/in/x.csv', format: 'csv', columns: { id: 'sku' } }],
    ['https://a.example/x', { url: 'https://a.example/x', format: 'csv', columns: { id: 'sku' } }],
    ['in/x', { path: 'in/x', format: 'csv', columns: { id: 'sku' } }],
  ])('--source %s is for the server to read', async (where, source) => {
    const options = ['--source', where, '--format', 'csv', '--columns', 'id=sku'];
    expect((await run(['submit', '-c', 'c', ...options])).code).toBe(0);
    expect(api.submissions.at(-1)).toMatchObject({ type: 'application/json', source });
  });

  test('a --source beside files that is but a name is taken for a slip', async () => {
    const path = join(folder, 'slip.ndjson');
    writeFileSync(path, `${GOOD}\n`);
    const sent = api.submissions.length;
    expect(await run(['submit', path, '-c', 'c', '--source', 'wiki'])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--source-name wiki.*--source wiki\//) as unknown,
    });
    expect(api.submissions).toHaveLength(sent);
    expect((await run(['submit', path, '-c', 'c', '--source-name', 'wiki'])).code).toBe(0);
  });

  test('a folder, files, patterns and places are one form', async () => {
    mkdirSync(join(folder, 'in/deep/.git'), { recursive: true });
    const put = (name: string, text: string | Buffer) => writeFileSync(join(folder, 'in', name), text);
    put('a.ndjson', `${GOOD}\n`);
    put('deep/b.csv', 'id,text\nb,two\n');
    put('deep/.git/c.csv', 'id,text\n');
    put('notes.png', 'none');
    put('array.json', `[${GOOD}]`);
    put('packed.jsonl.gz', gzipSync(GOOD));
    const place = 's3://b/in/';
    const args = ['in', 'in/array.json', 'in/*.ndjson', place].map((one) =>
      one === place ? one : join(folder, one),
    );
    const { code, err } = await run([
      'submit',
      '-c',
      'c',
      ...args,
      '--source',
      'there/',
      '--metadata',
      'rest',
    ]);
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringMatching(/3 files are hidden or/) });
    const { type, reading, form } = api.submissions.at(-1)!;
    expect(type).toMatch(/^multipart\/form-data; boundary=/);
    expect(reading).toEqual({ metadata: 'rest' });
    const name = (way: string) => join(folder, 'in', way);
    expect(form).toEqual({
      places: ['there/', place],
      files: {
        [name('a.ndjson')]: `${GOOD}\n`,
        [name('deep/b.csv')]: 'id,text\nb,two\n',
        [name('packed.jsonl.gz')]: gzipSync(GOOD).toString('latin1'),
        [name('array.json')]: `${GOOD}\n`,
      },
    });
  });

  test('a form that breaks off is sent again with the same key', async () => {
    api.breakUploads = 1;
    mkdirSync(join(folder, 'in'));
    writeFileSync(join(folder, 'in/a "b".ndjson'), `${GOOD}\n`);
    expect((await run(['submit', '-c', 'c', join(folder, 'in')])).code).toBe(0);
    expect(new Set(api.keys).size).toBe(1);
    expect(Object.values(api.submissions.at(-1)?.form?.files ?? {})).toEqual([`${GOOD}\n`]);
  });

  test('several places are for the server to read, and one that ends with a slash', async () => {
    for (const places of [['s3://b/in/'], ['https://a.example/x.csv', 's3://b/y.ndjson']]) {
      expect((await run(['submit', '-c', 'c', ...places])).code).toBe(0);
      expect(api.submissions.at(-1)).toMatchObject({ source: { files: places } });
    }
  });

  test('watch-source adds a source, shows what came of it, and removes it', async () => {
    const of = ['-c', 'c'];
    const added = await run(['watch-source', 'add', 'site', 'in/', 's3://b/x/', ...of, '--every', '15m']);
    expect(added.out).toBe('site: in/, s3://b/x/\n  into c, every 15m, as me; next 2026-01-02 03:04 UTC\n');
    expect((await run(['watch-source', 'run', 'site', ...of])).out).toMatch(/watch-source show site -c c/);
    expect((await run(['watch-source', 'show', 'site', ...of])).out).toMatch(
      /2026-01-02 03:04 {2}submitted as job_1: of 2 files 1 new, 0 changed, 1 gone/,
    );
    const { object } = await runJson('watch-source', 'list', ...of);
    expect(object).toMatchObject({
      sources: [{ name: 'site', mode: 'snapshot', schedule: { every: '15m' } }],
    });
    expect((await run(['watch-source', 'list', ...of])).out).toMatch(/site +every 15m .*submitted +job_1/);
    expect((await run(['watch-source', 'remove', 'site', ...of])).code).toBe(0);
    expect(await run(['watch-source', 'show', 'site', ...of])).toMatchObject({ code: 1 });
    const upsert = await runJson('watch-source', 'add', 'y', 'in/', ...of, '--every', '1d', '--no-sync');
    expect(upsert.object).toMatchObject({ mode: 'upsert' });
    for (const when of [[], ['--every', '1d', '--cron', '0 3 * * *'], ['--every', '1d', '--timezone', 'UTC']])
      expect((await run(['watch-source', 'add', 'x', 'in/', ...of, ...when])).code).toBe(2);
  });

  test('failures of many files name file and line', async () => {
    api.failuresFile = 'in/b.csv';
    await run(['submit', file(BAD), '-c', 'c', '--wait']);
    expect((await run(['failures', 'job_1'])).out).toMatch(/^in\/b.csv:1 {2}/);
  });

  test.each([
    [[], /give a file, or a --source/],
    [['FILE', '-'], /standard input cannot be combined with files/],
    [['EMPTY'], /no files to submit in .*: it is empty/],
    [['EMPTY/*.csv'], /matches nothing/],
    [['FILE', '--delimiter', '::'], /one character, or tab/],
    [['FILE', '--encoding', 'klingon'], /"klingon" is not a known encoding/],
    [['FILE', '--metadata', 'a,,b'], /Write rest, or column names/],
    [['FILE', '--format', 'xml'], /Allowed choices are ndjson, csv, parquet/],
    [['FILE', '--columns', 'sku'], /Write field=column/],
    [['FILE', '--columns', 'name=sku'], /The fields are id, text/],
  ])('submit %j is a usage error', async (args, says) => {
    const path = file(GOOD);
    const empty = mkdtempSync(join(folder, 'empty-'));
    const given = args.map((one) => (one === 'FILE' ? path : one.replace('EMPTY', empty)));
    expect(await run(['submit', '-c', 'c', ...given])).toMatchObject({
      code: 2,
      err: expect.stringMatching(says) as unknown,
    });
  });

  test('the bar is drawn on a terminal only, and never with --json', async () => {
    const live = await run(['submit', file(GOOD, GOOD), '-c', 'c', '--wait'], { tty: true });
    expect(live.err).toContain('\r\u001b[2K');
    const piped = await run(['submit', file(GOOD, GOOD), '-c', 'c', '--wait']);
    expect(piped.err).not.toContain('\u001b');
    const json = await run(['submit', file(GOOD, GOOD), '-c', 'c', '--wait', '--json'], { tty: true });
    expect(json.err).toBe('');
  });
});

describe('search', () => {
  beforeEach(() => run(['collections', 'create', 'c']));

  test('prints a line a hit, cut to the terminal, with the title', async () => {
    const { out } = await run(['search', 'c', 'river', 'banks'], {
      tty: true,
      environment: { NO_COLOR: '1' },
    });
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toBe('0.900  d0  A title  about river banks, number 0 with a seco…');
    expect(lines).toHaveLength(3);
    expect(lines.every((line) => line.length <= 60)).toBe(true);
  });

  test('is in colour on a terminal, plain and uncut in a pipe', async () => {
    expect((await run(['search', 'c', 'q'], { tty: true })).out).toContain('\u001b[1mA title\u001b[22m');
    expect((await run(['search', 'c', 'q'])).out).toContain(
      '0.800  d1  about q, number 1 with a second line\n',
    );
  });

  test('--json prints the hits as the API gave them', async () => {
    const { object } = await runJson(
      'search',
      'c',
      'q',
      '--limit',
      '1',
      '--filter',
      '{"field":"at","gte":0}',
    );
    expect(object).toMatchObject({ hits: [{ id: 'd0', score: 0.9, title: 'A title', metadata: { at: 0 } }] });
  });

  test('asks for what its options say, and for nothing else', async () => {
    await run(['search', 'c', 'a', 'question']);
    await run([
      ...['search', 'c', 'one', '--and', 'two', 'three', '--mode', 'hybrid', '--sparse', 'bm25,bm42'],
      ...['--fusion', 'dbsf', '--group', '--explain', '--tenant', 't', '--rerank'],
    ]);
    await run(['search', 'c', 'q', '--rerank', 'judge', '--highlight']);
    const usual = { limit: 10, offset: 0, group: false, highlight: false, explain: false };
    expect(api.searches).toEqual([
      { ...usual, query: 'a question' },
      {
        ...usual,
        group: true,
        explain: true,
        tenant: 't',
        rerank: true,
        queries: [{ query: 'one' }, { query: 'two' }, { query: 'three' }],
        mode: 'hybrid',
        sparse: ['bm25', 'bm42'],
        fusion: { method: 'dbsf' },
      },
      { ...usual, query: 'q', rerank: { model: 'judge' }, highlight: true },
    ]);
  });

  test('a picture is sent as it is', async () => {
    const path = join(folder, 'a.png');
    writeFileSync(path, Buffer.from([1, 2, 3]));
    await run(['search', 'c', '--image', path]);
    expect(api.searches).toMatchObject([{ image: 'data:application/octet-stream;base64,AQID' }]);
    expect((await run(['search', 'c', '--image', join(folder, 'none.png')])).err).toContain('cannot be read');
  });
});

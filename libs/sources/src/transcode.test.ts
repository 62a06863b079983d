import { gzipSync } from 'node:zlib';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDocument, type JobId, type Profile, type SourceEncoding } from '@embedmill/jobs';
import { fileSource } from './file-source.ts';
import { Spool } from './spool.ts';
import { transcode } from './transcode.ts';

const JOB = 'job_1' as JobId;
let folder: string;
let spool: Spool;
let sources = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-transcode-'));
  spool = await Spool.open(join(folder, 'spool'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const CSV: SourceEncoding = { format: 'csv', gzip: false, columns: undefined };
const PARQUET: SourceEncoding = { format: 'parquet', gzip: false, columns: undefined };
const GZIP: SourceEncoding = { format: 'ndjson', gzip: true, columns: undefined };

interface Options {
  filterable?: Profile['filterable'];
  maxBytes?: number;
}

async function transcoded(bytes: string | Uint8Array, encoding: SourceEncoding, options: Options = {}) {
  const path = join(folder, `source-${(sources += 1)}`);
  await writeFile(path, bytes);
  const { filterable = {}, maxBytes = 1e9 } = options;
  const from = await fileSource(path);
  const { source } = await transcode(spool, JOB, from, encoding, { profile: { filterable }, maxBytes });
  const text = Buffer.concat(await Array.fromAsync(spool.readSource(source))).toString();
  await spool.removeSource(source);
  return text;
}

async function rowsOf(bytes: string | Uint8Array, encoding: SourceEncoding, options: Options = {}) {
  const lines = (await transcoded(bytes, encoding, options)).split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const refused = (message: RegExp, code = 'source_unreadable') =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

test('a CSV’s columns are a document’s fields, the others its metadata, typed as the profile filters on them', async () => {
  const csv =
    '\uFEFFid,title,text,year,score,open,metadata.kind,note\r\n' +
    '1,"A ""b"", c","two\nlines",1961,0.5,true,x,\r\n' +
    '2,,plain,,,,,n\r\n';
  const filterable = { year: 'integer', score: 'float', open: 'boolean' } as const;
  const rows = await rowsOf(csv, CSV, { filterable });
  expect(rows).toEqual([
    {
      ...{ id: '1', title: 'A "b", c', text: 'two\nlines' },
      metadata: { year: 1961, score: 0.5, open: true, kind: 'x' },
    },
    { id: '2', text: 'plain', metadata: { note: 'n' } },
  ]);
  for (const row of rows) expect(parseDocument(row, { filterable }).ok).toBe(true);
});

test('whatever is written as CSV comes back, a line for each row', async () => {
  const cell = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll('\r', ''));
  const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 20 }), async (table) => {
      const csv = [['id', 'text', 'note'], ...table].map((row) => row.map(quoted).join(',')).join('\n');
      const rows = await rowsOf(csv, CSV);
      const expected = table.map(([id, text, note]) => ({
        id,
        text,
        ...(note !== '' && { metadata: { note } }),
      }));
      expect(rows).toEqual(expected);
    }),
    { numRuns: 50 },
  );
}, 30_000);

test('columns can be named, and metadata chosen', async () => {
  const columns = { id: 'sku', text: 'body', metadata: ['year'] };
  expect(await rowsOf('sku,body,year,secret\na,x,1,s\n', { ...CSV, columns })).toEqual([
    { id: 'a', text: 'x', metadata: { year: '1' } },
  ]);
  await expect(rowsOf('sku,body\na,x\n', CSV)).rejects.toThrow(
    refused(/no column "id".*"sku", "body".*"columns"/),
  );
  await expect(rowsOf('id,body\na,x\n', CSV)).rejects.toThrow(refused(/no column "text"/));
  await expect(rowsOf('id,text\na,x\n', { ...CSV, columns: { title: 'headline' } })).rejects.toThrow(
    refused(/no column "headline" for the title/),
  );
  await expect(rowsOf('id,text,text\na,x,y\n', CSV)).rejects.toThrow(refused(/"text" comes twice/));
});

test('a column that must not be one is refused document by document, and changes no prototype', async () => {
  const [row] = await rowsOf('id,text,__proto__\na,x,evil\n', CSV);
  expect(
    parseDocument(JSON.parse(await transcoded('id,text,__proto__\na,x,evil\n', CSV)), { filterable: {} }),
  ).toMatchObject({
    ok: false,
    error: { code: 'forbidden_key' },
  });
  expect(({} as Record<string, unknown>)['evil']).toBeUndefined();
  expect(row).toBeDefined();
});

test.each([
  ['a row with a field too many', 'id,text\na,x\nb,y,z\n', /row 2 has 3 fields where there are 2 columns/],
  ['a row with one too few', 'id,text\na,x\nb\n', /row 2 has 1 fields/],
  [
    'a quote that never ends',
    'id,text\na,x\nb,"y\nc,z\n',
    /row 2, column 2 begins with a quote that never ends/,
  ],
  ['a quote in the middle', 'id,text\na,5" pipe\n', /row 1, column 2 is no valid CSV/],
  ['bytes that are no UTF-8', Buffer.from('id,text\na,\xff\xfe\n', 'latin1'), /not valid UTF-8/],
  [
    'a field without end',
    `id,text\na,"${'x'.repeat(33 * 1024 * 1024)}"\n`,
    /row 1, column 2 is longer than 33554432 bytes/,
  ],
] as const)(
  'of a CSV it says where it is broken: %s',
  async (_name, bytes, says) => {
    await expect(transcoded(bytes, CSV)).rejects.toThrow(refused(says));
  },
  60_000,
);

test('an empty CSV, and one without rows, has no documents', async () => {
  await expect(transcoded('', CSV)).rejects.toThrow(refused(/no column "id"; the columns are none/));
  expect(await rowsOf('id,text\n', CSV)).toEqual([]);
});

test('gzipped lines come out as they were, also malformed ones and those of several members', async () => {
  const [one, two] = ['{"id":"a"}\nnot json\n', '{"id":"b"}\n'];
  expect(await transcoded(Buffer.concat([gzipSync(one), gzipSync(two)]), GZIP)).toBe(one + two);
  const csv = gzipSync('id,text\na,x\n');
  expect(await rowsOf(csv, { ...CSV, gzip: true })).toEqual([{ id: 'a', text: 'x' }]);
});

test.each([
  ['cut off', gzipSync('{"id":"a"}\n'.repeat(1000)).subarray(0, 50)],
  ['not one after its first bytes', Buffer.from([0x1f, 0x8b, 1, 2, 3, 4])],
])('a gzip that is %s is refused', async (_name, bytes) => {
  await expect(transcoded(bytes, GZIP)).rejects.toThrow(refused(/gzip is not whole/));
});

test('what is named as gzip and was unpacked on the way is taken as it is', async () => {
  expect(await transcoded('{"id":"a"}\n', GZIP)).toBe('{"id":"a"}\n');
});

test('a gzip that unpacks to more than is taken, or than documents do, is refused before it is all unpacked', async () => {
  const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, '\n'));
  expect(bomb.length).toBeLessThan(150_000);
  for (const encoding of [GZIP, { ...CSV, gzip: true }]) {
    const unpacking = transcoded(bomb, encoding);
    await expect(unpacking).rejects.toThrow(
      refused(/more than 200 times its \d+ bytes/, 'payload_too_large'),
    );
  }
  const large = gzipSync('{"id":"a","text":"x"}\n'.repeat(1000));
  await expect(transcoded(large, GZIP, { maxBytes: 10_000 })).rejects.toThrow(
    refused(/more than the 10000 bytes/, 'payload_too_large'),
  );
}, 60_000);

const parquetOf = (rows: number, options: object = {}) =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'id', data: Array.from({ length: rows }, (_, n) => BigInt(n)), type: 'INT64' },
        { name: 'text', data: Array.from({ length: rows }, (_, n) => `text ${n}`), type: 'STRING' },
        {
          name: 'when',
          data: Array.from({ length: rows }, () => new Date('2020-02-03T04:05:06Z')),
          type: 'TIMESTAMP',
        },
        { name: 'tags', data: Array.from({ length: rows }, (_, n) => ({ a: [n, 'x'] })), type: 'JSON' },
        {
          name: 'none',
          data: Array.from({ length: rows }, (_, n) => (n % 2 === 0 ? null : 1.5)),
          type: 'DOUBLE',
        },
      ],
      ...options,
    }),
  );

test.each([
  ['one row group', 1000],
  ['several row groups', 64],
])('Parquet in %s gives a document a row, in their order', async (_name, rowGroupSize) => {
  const rows = await rowsOf(parquetOf(1000, { rowGroupSize }), PARQUET);
  expect(rows).toHaveLength(1000);
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  expect(rows[1]).toEqual({
    ...{ id: 1, text: 'text 1' },
    metadata: { when: '2020-02-03T04:05:06.000Z', tags: { a: [1, 'x'] }, none: 1.5 },
  });
  expect(rows[2]).not.toHaveProperty('metadata.none');
  for (const row of rows) expect(parseDocument(row, { filterable: { when: 'datetime' } }).ok).toBe(true);
});

test('of Parquet, columns that nobody wants are not read', async () => {
  const columns = { metadata: ['none'] };
  const rows = await rowsOf(parquetOf(4), { ...PARQUET, columns });
  expect(rows[3]).toEqual({ id: 3, text: 'text 3', metadata: { none: 1.5 } });
});

test.each([
  ['text', Buffer.from('this is no Parquet file at all, is it?'), /no readable Parquet.*PAR1/],
  ['nothing', Buffer.alloc(0), /no readable Parquet/],
  ['one that is cut off', parquetOf(100).subarray(0, 500), /no readable Parquet/],
  [
    'one whose footer is beyond the file',
    Buffer.from('PAR1xxxx\xff\xff\xff\x7fPAR1', 'latin1'),
    /no readable Parquet/,
  ],
] as const)('%s in place of Parquet is refused', async (_name, bytes, says) => {
  await expect(transcoded(bytes, PARQUET)).rejects.toThrow(refused(says));
});

test('Parquet whose row groups are too large to be read at once is refused, and says what to do', async () => {
  const wide = parquetWriteBuffer({
    codec: 'UNCOMPRESSED',
    columnData: [
      { name: 'id', data: Array.from({ length: 270 }, (_, n) => n), type: 'INT32' },
      {
        name: 'text',
        data: Array.from({ length: 270 }, (_, n) => `${n}${'x'.repeat(1 << 20)}`),
        type: 'STRING',
      },
    ],
  });
  const says = /row group 1 has \d+ bytes and 270 rows.*smaller row groups/;
  await expect(transcoded(new Uint8Array(wide), PARQUET)).rejects.toThrow(refused(says));
}, 60_000);

test('a few bytes of Parquet that stand for millions of rows are refused', async () => {
  const rows = 5_000_000;
  const many = parquetWriteBuffer({
    rowGroupSize: rows,
    columnData: [
      { name: 'id', data: Array.from({ length: rows }, () => 1), type: 'INT32' },
      { name: 'text', data: Array.from({ length: rows }, () => 'x'), type: 'STRING' },
    ],
  });
  expect(many.byteLength).toBeLessThan(100_000);
  await expect(transcoded(new Uint8Array(many), PARQUET)).rejects.toThrow(
    refused(/5000000 rows.*smaller row groups/),
  );
}, 60_000);

import { gzipSync } from 'node:zlib';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDocument, type JobId, type Profile, type SourceEncoding } from '@embedmill/jobs';
import { CsvRows } from './csv-rows.ts';
import { openCsv } from './csv.ts';
import { readDocumentLine } from './document-line.ts';
import { fileSource } from './file-source.ts';
import { readLines } from './lines.ts';
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
  return (await bytesOf(bytes, encoding, options)).toString();
}

async function bytesOf(bytes: string | Uint8Array, encoding: SourceEncoding, options: Options = {}) {
  const path = join(folder, `source-${(sources += 1)}`);
  await writeFile(path, bytes);
  const { filterable = {}, maxBytes = 1e9 } = options;
  const from = await fileSource(path);
  const parse = () => Promise.reject(new Error('the source is no document'));
  const reading = { profile: { filterable }, maxBytes, parse };
  const { source } = await transcode(spool, JOB, from, encoding, reading);
  const lines = Buffer.concat(await Array.fromAsync(spool.readSource(source)));
  await spool.removeSource(source);
  return lines;
}

async function rowsOf(bytes: string | Uint8Array, encoding: SourceEncoding, options: Options = {}) {
  const lines = (await transcoded(bytes, encoding, options)).split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const refused = (message: RegExp, code = 'source_unreadable') =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

test('columns are fields of objects where the profile filters by these', async () => {
  const filterable = { 'author.name': 'keyword', 'author.year': 'integer' } as const;
  const rows = await rowsOf('id,text,author.name,author.year,a.b\n1,x,Ada,1815,c\n', CSV, { filterable });
  expect(rows).toEqual([
    { id: '1', text: 'x', metadata: { author: { name: 'Ada', year: 1815 }, 'a.b': 'c' } },
  ]);
});

test('a CSV’s columns are a document’s fields, the others its metadata, typed as the profile filters on them', async () => {
  const csv =
    '\uFEFFid,title,text,year,score,open,metadata.kind,note\r\n' +
    '1,"A ""b"", c","two\nlines",1961,0.5,true,x,\r\n' +
    '2,,plain,,,,,n\r\n';
  const filterable = { year: 'integer', score: 'float', open: 'boolean' } as const;
  const rows = await rowsOf(csv, CSV, { filterable });
  expect(rows).toEqual([
    {
      id: '1',
      title: 'A "b", c',
      text: 'two\nlines',
      metadata: { year: 1961, score: 0.5, open: true, kind: 'x' },
    },
    { id: '2', text: 'plain', metadata: { note: 'n' } },
  ]);
  for (const row of rows) expect(parseDocument(row, { filterable }).ok).toBe(true);
});

test('a column "structure" with what exports write is the structure, and with anything else metadata', async () => {
  const structure = { sections: [{ start: 0, headings: ['A'] }], pages: [{ start: 0, number: 1 }] };
  const cell = (value: string) => `"${value.replaceAll('"', '""')}"`;
  const csv = `id,text,structure\na,x,${cell(JSON.stringify(structure))}\nb,y,a beam\nc,z,"{""a"":1}"\n`;
  expect(await rowsOf(csv, CSV)).toEqual([
    { id: 'a', text: 'x', structure },
    { id: 'b', text: 'y', metadata: { structure: 'a beam' } },
    { id: 'c', text: 'z', metadata: { structure: '{"a":1}' } },
  ]);
  const chosen = await rowsOf(csv, { ...CSV, columns: { metadata: [] } });
  expect(chosen.map((row) => row['structure'])).toEqual([structure, undefined, undefined]);
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
});

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
  await expect(rowsOf('id,text,text\na,x,y\n', CSV)).rejects.toThrow(refused(/"text" occurs twice/));
});

test('a column "deleted" makes tombstones of rows, with no column of texts needed', async () => {
  const csv = 'id,text,deleted,year\na,x,,1\nb,,TRUE,\nc,y,false,\nd,,maybe,\ne,,true,1961\n';
  expect(await documentsIn(csv, CSV)).toMatchObject([
    { id: 'a', text: 'x' },
    { deleted: 'b' },
    { id: 'c', text: 'y' },
    { code: 'invalid_document', message: expect.stringContaining('deleted') },
    { code: 'invalid_document', message: expect.stringContaining('together with text, metadata') },
  ]);
  const columns = { id: 'sku', deleted: 'gone' };
  expect(await documentsIn('sku,gone\na,true\nb,\n', { ...CSV, columns })).toMatchObject([
    { deleted: 'a' },
    { code: 'missing_text' },
  ]);
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

const documentsIn = async (bytes: string | Uint8Array, encoding: SourceEncoding, options: Options = {}) => {
  const ndjson = await bytesOf(bytes, encoding, options);
  const { filterable = {} } = options;
  const groups = await Array.fromAsync(readLines(inOne(ndjson)));
  return groups.flat().map((line) => {
    const read = readDocumentLine(line, { filterable });
    if (read.kind === 'tombstone') return { line: line.number, deleted: read.tombstone.id };
    if (read.kind === 'invalid')
      return { line: line.number, code: read.report.code, message: read.report.message };
    return { line: line.number, id: read.document.id, text: read.document.text };
  });
};

async function* inOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

test.each([
  ['a row with a field too many', 'b,y,z', 'malformed_row', /row 2 has 3 fields but there are 2 columns/],
  ['text behind a quote', 'b,"y"z', 'malformed_row', /row 2 has text after a closing quote in column 2/],
  [
    'bytes that are no UTF-8',
    Buffer.from('b,\xff\xfe', 'latin1'),
    'invalid_utf8',
    /row 2 is not valid UTF-8/,
  ],
  [
    'bytes that are no UTF-8 in quotes',
    Buffer.from('b,"y\ny\xff"', 'latin1'),
    'invalid_utf8',
    /row 2 is not/,
  ],
  [
    'a row that is too long',
    `b,${'x'.repeat(33 * 1024 * 1024)}`,
    'line_too_long',
    /at most 33554432 are allowed/,
  ],
  [
    'more fields than are built',
    `b,y${','.repeat(100_000)}`,
    'malformed_row',
    /row 2 has 100002 fields; at most 10000 are supported/,
  ],
] as const)(
  'of a CSV a row that is none fails alone, with its number: %s',
  async (_name, row, code, says) => {
    const bytes = Buffer.concat([Buffer.from('id,text\na,x\n'), Buffer.from(row), Buffer.from('\nc,z\n')]);
    expect(await documentsIn(bytes, CSV)).toEqual([
      { line: 1, id: 'a', text: 'x' },
      { line: 2, code, message: expect.stringMatching(says) },
      { line: 3, id: 'c', text: 'z' },
    ]);
  },
);

test('an endless row is abandoned once it exceeds the maximum length', async () => {
  const rows = new CsvRows(',');
  const read = [
    rows.push('a,"x'),
    rows.push('y'.repeat(20 * 1024 * 1024)),
    rows.push('z'.repeat(40 * 1024 * 1024)),
  ];
  expect(read.flat()).toEqual([{ fault: expect.stringMatching(/longer than 33554432 bytes/) }]);
  expect(rows.push('still the same line\nb,c\n')).toMatchObject([{ cells: ['b', 'c'] }]);
});

test('a quote that never ends costs its row, and those behind it are read', async () => {
  expect(await documentsIn('id,text\na,x\nb,"y\nc,z\nd,""\ne,5" pipe\n', CSV)).toEqual([
    { line: 1, id: 'a', text: 'x' },
    {
      line: 2,
      code: 'malformed_row',
      message: expect.stringMatching(/row 2 has text after a closing quote/),
    },
    { line: 3, id: 'c', text: 'z' },
    { line: 4, code: 'empty_text', message: expect.any(String) },
    { line: 5, id: 'e', text: '5" pipe' },
  ]);
  expect(await documentsIn('id,text\na,x\nb,"y\nc,z', CSV)).toEqual([
    { line: 1, id: 'a', text: 'x' },
    { line: 2, code: 'malformed_row', message: 'row 2 has an unclosed quote' },
    { line: 3, id: 'c', text: 'z' },
  ]);
});

test.each([
  ['LF, then CRLF', 'id,text\n1,a\r\n2,b\n3,c\r\n'],
  ['CRLF, then LF', 'id,text\r\n1,a\n2,b\r\n3,c'],
  ['CR, as old Macs have it', 'id,text\r1,a\r2,b\r3,c\r'],
  ['each its own, with blank lines', 'id,text\r\n\r\n1,a\r\r2,b\n\n\n3,c\r\n\r\n'],
  ['CRLF, and quotes', '"id","text"\r\n"1","a"\r\n"2","b"\n"3","c"\r'],
])('lines of a CSV end as they like: %s', async (_name, csv) => {
  for (const size of [1, 2, 3, 1000]) {
    const table = await openCsv(inPieces(Buffer.from(csv), size));
    expect(table.columns).toEqual(['id', 'text']);
    expect((await Array.fromAsync(table.rows)).flat()).toEqual([
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'c'],
    ]);
  }
});

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test('short rows have empty ends, and rows of nothing but delimiters are passed over, as spreadsheets write them', async () => {
  const csv = 'id,text,year,note\na,x\nb,y,1961\n,,,\nc,z,,,,\n';
  expect(await documentsIn(csv, CSV)).toEqual([
    { line: 1, id: 'a', text: 'x' },
    { line: 2, id: 'b', text: 'y' },
    { line: 4, id: 'c', text: 'z' },
  ]);
});

test.each([
  ['semicolons', 'id;text;price\na;one, two;1,5\nb;three;2,5\n', { text: 'one, two', price: '1,5' }],
  ['tabs', 'id\ttext\tprice\na\tone, two\t1;5\n', { text: 'one, two', price: '1;5' }],
  ['bars', 'id|text|price\na|one, two|1;5\n', { text: 'one, two', price: '1;5' }],
  ['commas', 'id,text,price\na,one; two|x,"1,5"\n', { text: 'one; two|x', price: '1,5' }],
  [
    'what its first line says',
    'sep=^\r\nid^text^price\r\na^one, two^1;5\r\n',
    { text: 'one, two', price: '1;5' },
  ],
])('the delimiter of a CSV is found: %s', async (_name, csv, { text, price }) => {
  const [row] = await rowsOf(csv, CSV);
  expect(row).toEqual({ id: 'a', text, metadata: { price } });
});

test('a given delimiter takes precedence', async () => {
  const csv = 'id;text,x\na;y,z\n';
  expect(await rowsOf(csv, { ...CSV, delimiter: ';', columns: { text: 'text,x' } })).toEqual([
    { id: 'a', text: 'y,z' },
  ]);
});

test('a CSV is read by its encoding, or by its byte order mark', async () => {
  const csv = 'id,text\n1,Grüße aus Köln\n2,日本\n';
  const wanted = [
    { id: '1', text: 'Grüße aus Köln' },
    { id: '2', text: '日本' },
  ];
  const utf16 = Buffer.from(`\uFEFF${csv}`, 'utf16le');
  expect(await rowsOf(utf16, CSV)).toEqual(wanted);
  expect(await rowsOf(Buffer.from(utf16).swap16(), CSV)).toEqual(wanted);
  expect(await rowsOf(Buffer.from(csv, 'utf16le'), { ...CSV, encoding: 'utf-16le' })).toEqual(wanted);
  const latin = Buffer.from('id,text\n1,Grüße aus Köln\n', 'latin1');
  expect(await rowsOf(latin, { ...CSV, encoding: 'windows-1252' })).toEqual(wanted.slice(0, 1));
  expect(await documentsIn(latin, CSV)).toMatchObject([{ line: 1, code: 'invalid_utf8' }]);
  const shiftJis = Buffer.concat([
    Buffer.from('id,text\n2,'),
    Buffer.from([0x93, 0xfa, 0x96, 0x7b]),
    Buffer.from('\n3,\xff\n', 'latin1'),
  ]);
  expect(await documentsIn(shiftJis, { ...CSV, encoding: 'shift_jis' })).toMatchObject([
    { line: 1, text: '日本' },
    { line: 2, code: 'invalid_utf8', message: expect.stringMatching(/row 2 is not valid shift_jis/) },
  ]);
});

test('a replacement character that the text has itself is no fault', async () => {
  expect(await rowsOf('id,text\n1,a\uFFFDb\n', CSV)).toEqual([{ id: '1', text: 'a\uFFFDb' }]);
});

test('lists in cells are lists where a separator is given, each entry of its type', async () => {
  const csv = 'id,text,tags,years\n1,a|b,red|green | ,1961|1962\n2,c,blue,1970\n';
  const filterable = { tags: 'keyword', years: 'integer' } as const;
  expect(await rowsOf(csv, { ...CSV, listSeparator: '|' }, { filterable })).toEqual([
    { id: '1', text: 'a|b', metadata: { tags: ['red', 'green'], years: [1961, 1962] } },
    { id: '2', text: 'c', metadata: { tags: 'blue', years: 1970 } },
  ]);
});

test('the column without a name in which pandas writes row numbers is left out', async () => {
  expect(await rowsOf(',id,text,year\n0,a,x,1961\n1,b,y,1962\n', CSV)).toEqual([
    { id: 'a', text: 'x', metadata: { year: '1961' } },
    { id: 'b', text: 'y', metadata: { year: '1962' } },
  ]);
});

test('more columns than are read are refused before they are looked up', async () => {
  const names = Array.from({ length: 75_000 }, (_, n) => `c${n}`).join(',');
  await expect(transcoded(`id,text,${names}\na,x\n`, CSV)).rejects.toThrow(
    refused(/first row.*has 75002 fields; at most 10000 are supported/),
  );
});

const lines = (...values: unknown[]) => values.map((value) => JSON.stringify(value)).join('\n');
const named = (columns: SourceEncoding['columns']): SourceEncoding => ({ ...GZIP, gzip: false, columns });

test('fields of NDJSON can be named, and all others become metadata', async () => {
  const source = lines(
    { _id: 1, body: 'x', year: 1961, metadata: { open: true } },
    { _id: 2, body: null, tags: [] },
  );
  expect(await rowsOf(source, named({ id: '_id', text: 'body', metadata: 'rest' }))).toEqual([
    { id: 1, text: 'x', metadata: { year: 1961, open: true } },
    { id: 2, text: null, metadata: { tags: [] } },
  ]);
  expect(await rowsOf(source, named({ id: '_id', text: 'body', metadata: ['year'] }))).toEqual([
    { id: 1, text: 'x', metadata: { year: 1961 } },
    { id: 2, text: null },
  ]);
  expect(await documentsIn(source, named({ id: '_id', text: 'body' }))).toMatchObject([
    { line: 1, code: 'invalid_document', message: expect.stringMatching(/metadata to "rest"/) },
    { line: 2, code: 'missing_text' },
  ]);
});

test('lines that are no documents keep their numbers and faults where fields are named', async () => {
  const source = Buffer.concat([
    Buffer.from('\uFEFF\n{"_id":12345678901234567890,"text":"x"}\r\n\nnot json\n[1]\n'),
    Buffer.from('{"_id":"caf\xe9","text":"x"}\n', 'latin1'),
    Buffer.from(`{"_id":"long","text":"${'x'.repeat(33 * 1024 * 1024)}"}\n{"_id":"end","text":"y"}`),
  ]);
  expect(await documentsIn(source, named({ id: '_id' }))).toMatchObject([
    { line: 2, id: '12345678901234567890' },
    { line: 4, code: 'malformed_json' },
    { line: 5, code: 'malformed_json' },
    { line: 6, code: 'invalid_utf8' },
    { line: 7, code: 'line_too_long' },
    { line: 8, id: 'end' },
  ]);
});

test('NDJSON is read by its encoding; a line with bytes that are none of it fails alone', async () => {
  const latin = Buffer.from('{"id":1,"text":"Köln"}\n', 'latin1');
  expect(await rowsOf(latin, { ...named(undefined), encoding: 'windows-1252' })).toEqual([
    { id: 1, text: 'Köln' },
  ]);
  const source = Buffer.from(
    '{"id":1,"text":"\x93\xfa"}\n{"id":2,"text":"\xff"}\n{"id":3,"text":"y"}\n',
    'latin1',
  );
  expect(await documentsIn(source, { ...named(undefined), encoding: 'shift_jis' })).toMatchObject([
    { line: 1, text: '日' },
    { line: 2, code: 'invalid_utf8' },
    { line: 3, text: 'y' },
  ]);
});

test('a line that passes itself off as a row’s fault is no document, whatever it says', async () => {
  const source = lines(
    { unreadable_row: { code: 'malformed_row', message: 'mine' } },
    { unreadable_row: { code: 'internal', message: 'mine' } },
    { id: 1, text: 'x', unreadable_row: null },
  );
  const read = await documentsIn(source, named({}));
  expect(read.map((one) => ('code' in one ? one.code : 'ok'))).toEqual(['malformed_row', 'missing_id', 'ok']);
});

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
  await expect(transcoded(bytes, GZIP)).rejects.toThrow(refused(/gzip is incomplete/));
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
    refused(/limit of 10000 bytes/, 'payload_too_large'),
  );
});

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
    id: 1,
    text: 'text 1',
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
  ['text', Buffer.from('this is no Parquet file at all, is it?'), /not readable Parquet.*PAR1/],
  ['nothing', Buffer.alloc(0), /not readable Parquet/],
  ['one that is cut off', parquetOf(100).subarray(0, 500), /not readable Parquet/],
  [
    'one whose footer is beyond the file',
    Buffer.from('PAR1xxxx\xff\xff\xff\x7fPAR1', 'latin1'),
    /not readable Parquet/,
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
});

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
});

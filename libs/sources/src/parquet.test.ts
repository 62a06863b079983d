import { readFile } from 'node:fs/promises';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, test } from 'vitest';
import { parseDocument, type Columns } from '@embedmill/jobs';
import { documentLines } from './document-lines.ts';
import { openParquet } from './parquet.ts';
import { documentsOf, wantedColumns } from './table.ts';

/** Files from other writers, some of them broken; made by `fixtures/make-parquet.py`. */
async function rowsOf(file: string | Uint8Array, columns?: Columns): Promise<unknown[]> {
  const bytes =
    typeof file === 'string' ? await readFile(new URL(`../fixtures/${file}`, import.meta.url)) : file;
  const read = async (start: number, end: number) => Uint8Array.from(bytes.subarray(start, end));
  const table = await openParquet({ size: bytes.length, read }, wantedColumns(columns));
  const lines = documentLines(table, documentsOf(table.columns, { columns }, { filterable: {} }));
  const text = Buffer.concat(await Array.fromAsync(lines)).toString();
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
}

test.each(['kinds.parquet', 'kinds-v2.parquet'])(
  'of %s, each kind of value is kept as it is',
  async (file) => {
    expect(await rowsOf(file)).toEqual([
      {
        id: '1768907445451174113',
        text: 'one',
        metadata: {
          bytes: 'Af8=',
          fixed: 'AP8=',
          whole: '9'.repeat(38),
          money: 12.34,
          long: '1234567890123456789.0123456789',
          unsigned: '18446744073709551615',
          double: '100000000000000000000',
          millis: '1969-12-31T23:59:59.999Z',
          micros: '1969-12-31T23:59:59.999999Z',
          nanos: '1969-12-31T23:59:59.999999999Z',
          day: '1969-12-31',
          time: '23:59:59.999999',
          list: [1.1, null],
          struct: { a: '1152921504606846976', b: '1969-12-31T23:59:59.999999Z' },
          map: { k: '1152921504606846976' },
        },
      },
      {
        id: '9007199254740992',
        text: 'two',
        metadata: {
          bytes: 'Af4=',
          whole: -1,
          money: -0.05,
          long: 0.1,
          unsigned: 0,
          double: 0.1,
          millis: '2024-01-01T00:00:00.123Z',
          micros: '2024-01-01T00:00:00.123456Z',
          nanos: '2024-01-01T00:00:00.123456789Z',
          day: '2024-01-01',
          time: '00:00:00',
          list: ['99999999999999999.9'],
          map: {},
        },
      },
    ]);
  },
);

test('bytes and times are ids that tell rows apart', async () => {
  const rows = (await rowsOf('kinds.parquet', { id: 'bytes', metadata: [] })) as { id: string }[];
  expect(rows.map(({ id }) => id)).toEqual(['Af8=', 'Af4=']);
  const times = (await rowsOf('kinds.parquet', { id: 'micros', metadata: [] })) as { id: string }[];
  expect(times[0]?.id).toBe('1969-12-31T23:59:59.999999Z');
});

test('a page that cannot be decoded is the fault of its rows, by their numbers', async () => {
  const rows = await rowsOf('broken-page.parquet');
  expect(rows).toHaveLength(600);
  const message = expect.stringMatching(/^row \d+, column "text": it cannot be decoded: /) as unknown;
  for (const [n, row] of rows.entries()) {
    if (n < 100 || n >= 200) expect(row).toEqual({ id: `i${n}`, text: `text ${n}` });
    else expect(row).toEqual({ unreadable_row: { code: 'malformed_row', message } });
  }
  // The fault does not matter if the column is not read.
  const others = await rowsOf('broken-page.parquet', { text: 'id', metadata: [] });
  expect(others[150]).toEqual({ id: 'i150', text: 'i150' });
});

test('a text that is no UTF-8 is the fault of its row alone', async () => {
  expect(await rowsOf('no-utf8.parquet')).toEqual([
    { id: 'a', text: 'one' },
    { unreadable_row: { code: 'invalid_utf8', message: 'row 2, column "text": it is not valid UTF-8' } },
    { id: 'c', text: 'three' },
  ]);
});

const columnData = [
  { name: 'id', data: ['a', 'b'], type: 'STRING' as const },
  { name: 'text', data: ['x', 'y'], type: 'STRING' as const },
  { name: 'strange', data: ['1', '2'], type: 'STRING' as const },
];

test('a column that nothing here reads is named where it is wanted, and stops nobody else', async () => {
  const lzo = { codec: 'LZO' as const, compressors: { LZO: (bytes: Uint8Array) => bytes } };
  const file = new Uint8Array(parquetWriteBuffer({ columnData, ...lzo }));
  await expect(rowsOf(file)).rejects.toThrow(/the column "id" has a packing LZO that is not supported/);
  const one = columnData.map((column) =>
    column.name === 'strange' ? { ...column, codec: lzo.codec } : column,
  );
  const mixed = new Uint8Array(parquetWriteBuffer({ columnData: one, compressors: lzo.compressors }));
  await expect(rowsOf(mixed)).rejects.toThrow(
    /the column "strange" has a packing LZO .*; name the wanted columns/,
  );
  expect(await rowsOf(mixed, { metadata: [] })).toEqual([
    { id: 'a', text: 'x' },
    { id: 'b', text: 'y' },
  ]);
});

test('a column "deleted" makes tombstones of rows, booleans and texts alike', async () => {
  const texts = columnData.slice(0, 1);
  for (const deleted of [
    { name: 'deleted', data: [true, null], type: 'BOOLEAN' as const, nullable: true },
    { name: 'deleted', data: ['true', ''], type: 'STRING' as const },
  ]) {
    const text = { name: 'text', data: [null, 'y'], type: 'STRING' as const, nullable: true };
    const file = new Uint8Array(parquetWriteBuffer({ columnData: [...texts, text, deleted] }));
    const read = (await rowsOf(file)).map((row) => parseDocument(row, { filterable: {} }));
    expect(read).toMatchObject([
      { ok: true, tombstone: { id: 'a' } },
      { ok: true, document: { id: 'b', text: 'y' } },
    ]);
  }
  const named = { name: 'gone', data: [true, false], type: 'BOOLEAN' as const };
  const file = new Uint8Array(parquetWriteBuffer({ columnData: [...texts, named] }));
  const [first, second] = await rowsOf(file, { deleted: 'gone' });
  expect(parseDocument(first, { filterable: {} })).toMatchObject({ ok: true, tombstone: { id: 'a' } });
  expect(parseDocument(second, { filterable: {} })).toMatchObject({
    ok: false,
    error: { code: 'missing_text' },
  });
});

test('a broken footer is named as what is broken', async () => {
  const file = new Uint8Array(parquetWriteBuffer({ columnData }));
  file.fill(0xff, file.length - 20, file.length - 10);
  await expect(rowsOf(file)).rejects.toThrow(/its footer cannot be read/);
});

test('more columns than are read are refused, and are no matter where few are wanted', async () => {
  const many = Array.from({ length: 10_500 }, (_, n) => ({
    name: `c${n}`,
    data: [n],
    type: 'INT32' as const,
  }));
  const one = columnData.slice(0, 2).map((column) => ({ ...column, data: column.data.slice(0, 1) }));
  const file = new Uint8Array(parquetWriteBuffer({ columnData: [...one, ...many] }));
  await expect(rowsOf(file)).rejects.toThrow(/the file has 10502 columns, but at most 10000 are supported/);
  expect(await rowsOf(file, { metadata: ['c7'] })).toEqual([{ id: 'a', text: 'x', metadata: { c7: 7 } }]);
});

import { expect, test } from 'vitest';
import { formatOfName, previewOf } from './preview.ts';

test('a fileâs format follows from its name', () => {
  expect(
    ['a.csv', 'A.TSV.gz', 'b.parquet', 'c.jsonl', 'd.ndjson.gz', 'e.pdf', 'f'].map(formatOfName),
  ).toEqual([
    { format: 'csv', gzip: false },
    { format: 'csv', gzip: true },
    { format: 'parquet', gzip: false },
    { format: 'ndjson', gzip: false },
    { format: 'ndjson', gzip: true },
    { format: 'document', gzip: false },
    { format: 'document', gzip: false },
  ]);
});

test('NDJSON lines have a column for each field of any line, and a truncated line is left out', () => {
  const text = '{"id":"a","text":"中文"}\nnot json\n{"id":"b","metadata":{"year":1851}}\n{"id":"c","te';
  expect(previewOf(text, 'ndjson', false)).toEqual({
    columns: ['id', 'text', 'metadata'],
    rows: [
      ['a', '中文', ''],
      ['b', '', '{"year":1851}'],
    ],
  });
});

test('CSV cells may contain quotes, line breaks and delimiters', () => {
  const text = '\uFEFFsku;body;note\r\n1;"a ""quoted"" one; two\nlines";x\r\n2;plain;\r\n3;cut o';
  expect(previewOf(text, 'csv', false)).toEqual({
    columns: ['sku', 'body', 'note'],
    rows: [
      ['1', 'a "quoted" one; two\nlines', 'x'],
      ['2', 'plain', ''],
    ],
    delimiter: ';',
  });
});

test('in a complete file, the last row needs no line break', () => {
  expect(previewOf('id,text\n1,one\n2,two', 'csv', true).rows).toEqual([
    ['1', 'one'],
    ['2', 'two'],
  ]);
  expect(previewOf('{"id":"a"}', 'ndjson', true).rows).toEqual([['a']]);
  expect(previewOf('', 'csv', true)).toMatchObject({ columns: [], rows: [] });
});

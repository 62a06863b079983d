import { expect, test } from 'vitest';
import { CsvRows } from './csv-rows.ts';

const TEXT = 'id,"a ""text""" ,x\r\nb,"two\nlines"  ,\r\n\r\n,,\rc,"unclosed\nd,"y" z,w\n';

function rowsOf(pieces: readonly string[]) {
  const rows = new CsvRows(',');
  return [...pieces.flatMap((piece) => rows.push(piece)), ...rows.end()].map((row) =>
    'fault' in row ? row.fault : row.cells,
  );
}

test('rows are the same wherever their text is divided, also behind a quote and its spaces', () => {
  const whole = rowsOf([TEXT]);
  expect(whole.slice(0, 3)).toEqual([
    ['id', 'a "text"', 'x'],
    ['b', 'two\nlines', ''],
    ['', '', ''],
  ]);
  for (let at = 0; at <= TEXT.length; at += 1)
    expect(rowsOf([TEXT.slice(0, at), TEXT.slice(at)])).toEqual(whole);
});

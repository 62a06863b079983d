import { RowFault, faultLine } from './row-fault.ts';
import type { Table } from './table.ts';

/** Lines are passed on in pieces of about this size. */
const PIECE_CHARACTERS = 1 << 16;

/** A table's rows as NDJSON, a line a row: a blank one where there is nothing in it, and one that says why it is none. */
export async function* documentLines(
  { rows }: Table,
  documentOf: (row: readonly unknown[], number: number) => object,
): AsyncGenerator<Buffer> {
  let piece = '';
  let number = 0;
  for await (const group of rows) {
    for (const row of group) {
      number += 1;
      const line = row === null || row instanceof RowFault ? row : documentOf(row, number);
      piece +=
        line === null ? '\n' : `${line instanceof RowFault ? faultLine(line) : JSON.stringify(line)}\n`;
      if (piece.length < PIECE_CHARACTERS) continue;
      yield Buffer.from(piece);
      piece = '';
    }
  }
  if (piece !== '') yield Buffer.from(piece);
}

import { RowFault, faultLine } from './row-fault.ts';
import type { Table } from './table.ts';

/** Lines are passed on in chunks of about this size. */
const PIECE_CHARACTERS = 1 << 16;

/**
 * A table's rows as NDJSON, one line per row: a blank line for an empty row, and a fault for a row that is not a
 * document.
 */
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

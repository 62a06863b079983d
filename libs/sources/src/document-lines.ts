import type { Table } from './table.ts';

/** Lines are passed on in pieces of about this size. */
const PIECE_CHARACTERS = 1 << 16;

/** A table's rows as NDJSON, a line a row. */
export async function* documentLines(
  { rows }: Table,
  documentOf: (row: readonly unknown[]) => object,
): AsyncGenerator<Buffer> {
  let piece = '';
  for await (const row of rows) {
    piece += `${JSON.stringify(documentOf(row))}\n`;
    if (piece.length < PIECE_CHARACTERS) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  if (piece !== '') yield Buffer.from(piece);
}

import type { OutputFormat } from '@embedmill/jobs';
import { ndjsonPart } from './ndjson.ts';
import { joinParquet, parquetPart, type Part } from './parquet.ts';
import type { OutputRow, OutputShape } from './row.ts';

/** One part of an output, written by whoever has its rows. The same rows give the same bytes. */
export function writePart(
  format: OutputFormat,
  shape: OutputShape,
  batches: AsyncIterable<readonly OutputRow[]>,
): AsyncIterable<Uint8Array> {
  switch (format) {
    case 'ndjson':
      return ndjsonPart(batches, { gzip: false });
    case 'ndjson.gz':
      return ndjsonPart(batches, { gzip: true });
    case 'parquet':
      return parquetPart(batches, shape);
  }
}

/** All parts as one file, in the order given. */
export function joinParts(
  format: OutputFormat,
  shape: OutputShape,
  parts: AsyncIterable<Part>,
): AsyncIterable<Uint8Array> {
  switch (format) {
    case 'ndjson':
    case 'ndjson.gz':
      return concatenated(parts);
    case 'parquet':
      return joinParquet(parts, shape);
  }
}

async function* concatenated(parts: AsyncIterable<Part>): AsyncGenerator<Uint8Array> {
  for await (const part of parts) yield* part.read(0);
}

import type { OutputFormat } from '@embedmill/jobs';
import { ndjsonPart } from './ndjson.ts';
import type { Part } from './parquet.ts';
import type { OutputRow, OutputShape } from './row.ts';

/** Loaded with the first output that needs it, because most processes never write one. */
const parquet = () => import('./parquet.ts');

/** Writes one part of an output. The same rows give the same bytes. */
export async function* writePart(
  format: OutputFormat,
  shape: OutputShape,
  batches: AsyncIterable<readonly OutputRow[]>,
): AsyncGenerator<Uint8Array> {
  switch (format) {
    case 'ndjson':
      return yield* ndjsonPart(batches, { gzip: false });
    case 'ndjson.gz':
      return yield* ndjsonPart(batches, { gzip: true });
    case 'parquet':
      return yield* (await parquet()).parquetPart(batches, shape);
  }
}

/** Joins all parts to one file, in the given order. */
export async function* joinParts(
  format: OutputFormat,
  shape: OutputShape,
  parts: AsyncIterable<Part>,
): AsyncGenerator<Uint8Array> {
  switch (format) {
    case 'ndjson':
    case 'ndjson.gz':
      for await (const part of parts) yield* part.read(0);
      return;
    case 'parquet':
      return yield* (await parquet()).joinParquet(parts, shape);
  }
}

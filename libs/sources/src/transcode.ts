import { createGunzip } from 'node:zlib';
import { pipeline, Readable } from 'node:stream';
import {
  EmbedmillError,
  type JobId,
  type Profile,
  type SourceEncoding,
  type StoredSource,
} from '@embedmill/jobs';
import { bounded, type Bounds } from './bounded.ts';
import { openCsv } from './csv.ts';
import { documentFileLines, type ParseFile } from './document-file.ts';
import { documentLines } from './document-lines.ts';
import { openParquet } from './open-parquet.ts';
import { renamedLines } from './renamed-lines.ts';
import type { Received, Spool } from './spool.ts';
import { documentsOf, wantedColumns } from './table.ts';
import { decodedText, utf8Bytes } from './text-decoding.ts';

/**
 * Converts a source of another format to NDJSON in the job's spool, one line per row, so that its shards are ordinary
 * byte ranges. Memory does not grow with the source. Errors: `source_unreadable`, which says where,
 * `payload_too_large`, and those of reading the source and writing the spool.
 */
export async function transcode(
  spool: Spool,
  job: JobId,
  source: StoredSource,
  encoding: SourceEncoding,
  options: Reading & { signal?: AbortSignal },
): Promise<Received> {
  const lines = linesOf(spool, { source, offset: 0, size: source.size }, encoding, options);
  return spool.receive(job, abortable(lines, options.signal), { maxBytes: options.maxBytes });
}

/** The readers for sources. */
export interface Reading {
  profile: Pick<Profile, 'filterable'>;
  maxBytes: number;
  /** For files that are documents. */
  parse: ParseFile;
}

/** The bytes of a source that is a single file. */
export interface Stretch {
  source: StoredSource;
  offset: number;
  size: number;
}

/** The output of `transcode`, as the source is read. Errors: those of the source. */
export function linesOf(
  spool: Pick<Spool, 'readSource'>,
  stretch: Stretch,
  encoding: SourceEncoding,
  options: Reading,
): AsyncGenerator<Uint8Array> {
  const bounds = { sourceBytes: stretch.size, maxBytes: options.maxBytes };
  return bounded(unboundedLines(spool, stretch, encoding, options), bounds);
}

async function* unboundedLines(
  spool: Pick<Spool, 'readSource'>,
  { source, offset, size }: Stretch,
  encoding: SourceEncoding,
  { profile, maxBytes, parse }: Reading,
): AsyncGenerator<Uint8Array> {
  const opened: AsyncGenerator<Uint8Array>[] = [];
  const bytes = () => {
    const read = unpacked(spool.readSource(source, offset, size), { sourceBytes: size, maxBytes });
    opened.push(read);
    return read;
  };
  try {
    switch (encoding.format) {
      case 'ndjson': {
        const { encoding: name = 'utf-8', columns } = encoding;
        const lines = name === 'utf-8' ? bytes() : utf8Bytes(decodedText(bytes(), name));
        return yield* columns === undefined ? lines : renamedLines(lines, columns);
      }
      case 'csv': {
        const table = await openCsv(bytes(), encoding);
        return yield* documentLines(table, documentsOf(table.columns, encoding, profile));
      }
      case 'document':
        return yield* documentFileLines(bytes(), { name: encoding.name ?? 'document', parse });
      case 'parquet': {
        const read = async (start: number, end: number) =>
          Uint8Array.from(
            Buffer.concat(await Array.fromAsync(spool.readSource(source, offset + start, end - start))),
          );
        const table = await openParquet({ size, read }, wantedColumns(encoding.columns));
        return yield* documentLines(table, documentsOf(table.columns, encoding, profile));
      }
    }
  } finally {
    // Ends readers that stopped early, for example at a table whose columns do not fit.
    for (const one of opened) await one.return(undefined);
  }
}

/**
 * Unpacks bytes if they begin like gzip, otherwise passes them on: some servers unpack files in transit, whatever their
 * names.
 */
async function* unpacked(bytes: AsyncGenerator<Uint8Array>, bounds: Bounds): AsyncGenerator<Uint8Array> {
  const { value: first, done } = await bytes.next();
  if (done === true) return;
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield first as Uint8Array;
    yield* bytes;
  }
  try {
    yield* first[0] === 0x1f && first[1] === 0x8b ? bounded(gunzipped(whole()), bounds) : whole();
  } finally {
    await bytes.return(undefined);
  }
}

async function* gunzipped(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let broken: unknown;
  const packed = Readable.from(bytes).on('error', (error) => (broken = error));
  // Errors reach the reader of the unpacked bytes.
  const unpacked = pipeline(packed, createGunzip(), () => undefined);
  try {
    for await (const chunk of unpacked) yield chunk as Buffer;
  } catch (error) {
    if (broken instanceof EmbedmillError) throw broken;
    const why = error instanceof Error ? error.message : String(error);
    throw new EmbedmillError('source_unreadable', `the gzip is incomplete or damaged: ${why}`, {
      cause: error,
    });
  } finally {
    packed.destroy();
  }
}

/** Passes bytes on until the signal aborts, and then throws its reason. */
export async function* abortable(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import {
  EmbedmillError,
  type Client,
  type JobTarget,
  type Openable,
  type Sliceable,
  type SubmitOptions,
} from '@embedmill/client';
import { formatOfName, MEDIA_TYPES, parseJson, type Job, type SourceFormat } from '@embedmill/jobs';
import { CommandError, usageError } from '../exit.ts';

/** The documents to submit. */
export interface DocumentSource {
  stream: () => Readable;
  /** The size in bytes, if known in advance. */
  size: number | undefined;
  /** Whether `stream` can return the same bytes again. */
  repeatable: boolean;
  /** For a file: a range of its bytes. */
  slice?: (from: number, to: number) => Readable;
  /** Their format; NDJSON by default. */
  format?: SourceFormat;
  gzip?: boolean;
  /** Its media type, if it is not that of its format. */
  type?: string;
  /** Set if the file's name shows it. */
  delimiter?: string | undefined;
}

/** A JSON array must fit into memory to be converted to lines. */
const LARGEST_ARRAY_BYTES = 256 * 1024 * 1024;

/**
 * A file of NDJSON, CSV or Parquet, or one that is a document by itself, packed with gzip or not, by its name or as `format` says; a file of one JSON array
 * (which becomes lines); or standard input as `-`. Throws a usage error for what is none.
 */
export async function documentSource(
  file: string,
  { format: said, stdin = process.stdin }: { format?: SourceFormat | undefined; stdin?: Readable } = {},
): Promise<DocumentSource> {
  if (file === '-') {
    const stream = (): Readable => stdin.pipe(new PassThrough());
    return { stream, size: undefined, repeatable: false, format: said ?? 'ndjson' };
  }
  const found = await stat(file).catch((error: unknown) => {
    throw usageError(`${file} cannot be read: ${(error as Error).message}`);
  });
  if (found.isDirectory()) throw usageError(`${file} is a folder`);
  const start = await firstBytes(file);
  const named = formatOfName(file);
  // A file with an unknown extension that does not begin like JSON is not NDJSON.
  const isJson = /^\uFEFF?\s*[{[]/.test(start.toString('utf8'));
  const format =
    said ?? named.format ?? (isJson || !found.isFile() || start.length === 0 ? 'ndjson' : 'document');
  const delimiter = format === named.format ? named.delimiter : undefined;
  const gzip = start[0] === 0x1f && start[1] === 0x8b;
  if (format === 'parquet' && gzip) throw usageError(`${file} is gzipped Parquet; unpack it first`);
  const isArray = format === 'ndjson' && /^\uFEFF?\s*\[/.test(start.toString('utf8'));
  if (isArray) return arraySource(file, found.size);
  // A pipe or a device has no size and can be read only once.
  if (!found.isFile())
    return { stream: () => createReadStream(file), size: undefined, repeatable: false, format, delimiter };
  const { size, mtimeMs } = found;
  async function* slice(from: number, to: number): AsyncGenerator<Buffer> {
    const now = await stat(file);
    if (now.size !== size || now.mtimeMs !== mtimeMs)
      throw new CommandError(`${file} changed while it was sent; submit it again`);
    yield* createReadStream(file, { start: from, end: to - 1 });
  }
  return {
    // Exactly the announced size, even if the file grows in the meantime.
    stream: () => (size === 0 ? Readable.from([]) : createReadStream(file, { end: size - 1 })),
    size,
    repeatable: true,
    slice: (from, to) => Readable.from(slice(from, to)),
    format,
    gzip,
    delimiter,
  };
}

/** Whether it is one thing to read, and neither a folder nor a pattern; what is not there is, so that reading it says so. */
export async function isFile(argument: string): Promise<boolean> {
  if (argument === '-') return true;
  const info = await stat(argument).catch(() => undefined);
  return info === undefined ? !isPattern(argument) : !info.isDirectory();
}

/** Whether it may match several files, such as `data/*.csv`. */
export function isPattern(argument: string): boolean {
  return /[*?[{]/.test(argument);
}

/** Submits the documents; if the connection breaks, a large file is resumed and others are sent again. */
export async function submitDocuments(
  client: Client,
  target: JobTarget,
  source: DocumentSource,
  { reading, ...options }: SubmitOptions = {},
): Promise<Job> {
  const { format = 'ndjson', gzip = false, type = MEDIA_TYPES[format] } = source;
  const documents = source.repeatable ? openableOf(source) : source.stream();
  const delimiter = reading?.delimiter ?? source.delimiter;
  return client
    .submit(target, documents, { ...options, type, gzip, reading: { ...reading, delimiter } })
    .catch((error: unknown) => {
      const isOwn = error instanceof EmbedmillError || error instanceof CommandError;
      if (isOwn || options.signal?.aborted === true) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new CommandError(`the documents cannot be read: ${reason}`, undefined, { cause: error });
    });
}

/** Converts it for the client: a file may be sent in parts and resumed. */
function openableOf({ stream, slice, size }: DocumentSource): Openable {
  if (slice === undefined || size === undefined) return { stream };
  const file: Openable & Sliceable = {
    stream,
    size,
    slice: (from, to) => ({ stream: () => slice(from, to) }),
  };
  return file;
}

async function firstBytes(file: string): Promise<Buffer> {
  const info = await stat(file);
  if (!info.isFile()) return Buffer.alloc(0);
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function arraySource(file: string, size: number): Promise<DocumentSource> {
  if (size > LARGEST_ARRAY_BYTES) {
    throw usageError(
      `${file} is one large JSON array; submit it as lines: jq -c '.[]' ${file} | embedmill submit - …`,
    );
  }
  let documents: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
    documents = parseJson(text);
  } catch (error) {
    if (error instanceof TypeError)
      throw new CommandError(`${file} starts as a JSON array, but is not valid UTF-8; re-encode it`);
    throw new CommandError(`${file} starts as a JSON array, but is not JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(documents)) throw new CommandError(`${file} is not an array of documents`);
  const lines = Buffer.from(documents.map((document) => `${JSON.stringify(document)}\n`).join(''));
  return { stream: () => Readable.from([lines]), size: lines.length, repeatable: true };
}

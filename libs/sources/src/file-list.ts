import { z } from 'zod';
import {
  parseKept,
  sourceEncodingSchema,
  storedSourceSchema,
  type JobId,
  type StoredSource,
} from '@embedmill/jobs';
import { readLines } from './lines.ts';
import { fileFaultCodeSchema } from './row-fault.ts';
import type { Spool } from './spool.ts';

/** The maximum number of files in one job. */
export const MOST_FILES = 100_000;

/** A file that cannot be read, with the reason: known in advance, or found while reading. */
const faultSchema = z.strictObject({ code: fileFaultCodeSchema, message: z.string() });
export type FileFault = z.infer<typeof faultSchema>;

/** One of a job's files, with its location: `packed` among the files uploaded with it. */
export const listedFileSchema = z.strictObject({
  name: z.string(),
  at: z.union([
    z.strictObject({ kind: z.literal('packed'), offset: z.int(), size: z.int() }),
    storedSourceSchema,
    z.strictObject({ kind: z.literal('url'), url: z.string() }),
    z.strictObject({ kind: z.literal('none'), fault: faultSchema }),
  ]),
  /** Undefined for plain NDJSON, or if a URL's response determines it. */
  encoding: sourceEncodingSchema.optional(),
});
export type ListedFile = z.infer<typeof listedFileSchema>;

/** Writes a job's files in reading order, which is that of their names. */
export async function writeFileList(
  spool: Pick<Spool, 'receive'>,
  job: JobId,
  files: readonly ListedFile[],
): Promise<StoredSource> {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };
  return (await spool.receive(job, jsonLines(sorted), unlimited)).source;
}

export async function* readFileList(
  spool: Pick<Spool, 'readSource'>,
  list: StoredSource,
): AsyncGenerator<ListedFile> {
  for await (const value of valuesOf(spool.readSource(list))) yield parseKept(listedFileSchema, value);
}

/** Values as NDJSON, in batches. */
export async function* jsonLines(values: readonly object[]): AsyncGenerator<Uint8Array> {
  const atOnce = 1000;
  for (let from = 0; from < values.length; from += atOnce) {
    const some = values.slice(from, from + atOnce);
    yield Buffer.from(some.map((value) => `${JSON.stringify(value)}\n`).join(''));
  }
}

/** Parses NDJSON that embedmill wrote. */
export async function* valuesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  for await (const group of readLines(bytes)) {
    for (const line of group) {
      if (line.bytes === null) throw new RangeError('a line of a list of files is too long');
      yield JSON.parse(line.bytes.toString('utf8'));
    }
  }
}

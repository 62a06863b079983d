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

/** How many files one job may have. */
export const MOST_FILES = 100_000;

/** A file that cannot be read, and why: known before, or found when it was tried. */
const faultSchema = z.strictObject({ code: fileFaultCodeSchema, message: z.string() });
export type FileFault = z.infer<typeof faultSchema>;

/** One of a job's files, and where it lies: `packed` among those that were uploaded with it. */
const listedFileSchema = z.strictObject({
  name: z.string(),
  at: z.union([
    z.strictObject({ kind: z.literal('packed'), offset: z.int(), size: z.int() }),
    storedSourceSchema,
    z.strictObject({ kind: z.literal('url'), url: z.string() }),
    z.strictObject({ kind: z.literal('none'), fault: faultSchema }),
  ]),
  /** None for plain NDJSON, and for what a URL's answer says. */
  encoding: sourceEncodingSchema.optional(),
});
export type ListedFile = z.infer<typeof listedFileSchema>;

/** Writes which files a job has, in the order in which they are read: that of their names. */
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

/** Values as NDJSON, some at a time. */
export async function* jsonLines(values: readonly object[]): AsyncGenerator<Uint8Array> {
  const atOnce = 1000;
  for (let from = 0; from < values.length; from += atOnce) {
    const some = values.slice(from, from + atOnce);
    yield Buffer.from(some.map((value) => `${JSON.stringify(value)}\n`).join(''));
  }
}

/** The values of NDJSON that we wrote. */
export async function* valuesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  for await (const group of readLines(bytes)) {
    for (const line of group) {
      if (line.bytes === null) throw new RangeError('a line of a list of files is too long');
      yield JSON.parse(line.bytes.toString('utf8'));
    }
  }
}

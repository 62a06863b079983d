import type { Part } from './parquet.ts';

/**
 * The output of one shard of a batch: the lines of successful requests, then those of failed requests, and at the end
 * the length of the former in bytes. A single file, so that each request is in exactly one of the two, whoever wrote it
 * last.
 */
const TRAILER = 16;

/** The part's bytes, from lines without line ends. */
export async function* writeBatchPart(
  answered: Iterable<string>,
  failed: Iterable<string>,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for (const line of answered) {
    const bytes = Buffer.from(`${line}\n`);
    size += bytes.length;
    yield bytes;
  }
  for (const line of failed) yield Buffer.from(`${line}\n`);
  yield Buffer.from(String(size).padStart(TRAILER, '0'));
}

/** How many bytes of a part are lines of successful requests, and how many are lines of failed ones. */
export async function sizesOfBatchPart({ size, read }: Part): Promise<{ answered: number; failed: number }> {
  const trailer = Buffer.concat(await Array.fromAsync(read(size - TRAILER, TRAILER)));
  const answered = Number(trailer.toString('latin1'));
  return { answered, failed: size - TRAILER - answered };
}

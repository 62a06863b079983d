import type { Part } from './parquet.ts';

/**
 * What one shard of a batch has to say: the lines of requests that were answered, behind them those of requests that failed,
 * and at the end how many bytes the first ones have. One file, so that each request is in one of the two, whoever wrote it
 * last.
 */
const TRAILER = 16;

/** The part's bytes. The lines come without their ends. */
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

/** How many bytes of a part are lines of answered requests, and how many behind them of failed ones. */
export async function sizesOfBatchPart({ size, read }: Part): Promise<{ answered: number; failed: number }> {
  const trailer = Buffer.concat(await Array.fromAsync(read(size - TRAILER, TRAILER)));
  const answered = Number(trailer.toString('latin1'));
  return { answered, failed: size - TRAILER - answered };
}

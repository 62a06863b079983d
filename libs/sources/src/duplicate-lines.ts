import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** The number of lines per bucket; one bucket is in memory while it is read. */
const LINES = 1_000_000;
/** A line's index in its bucket, and the line that replaces it. */
const PAIR = 12;
/** The number of pairs buffered in memory, over all buckets. */
const HELD_BYTES = 16 * 1024 * 1024;

/**
 * Pairs of a repeated line and the line that replaces it, returned in order of lines, whatever order they were added
 * in. They are in memory while they are few, otherwise in one file per million lines.
 */
export class DuplicateLines {
  readonly #folder: string;
  readonly #open: () => Promise<void>;
  readonly #buckets: { waiting: Buffer[]; file: FileHandle | undefined }[] = [];
  #held = 0;

  /** `makeFolder` is called before the first file is written to the folder. The caller owns the folder. */
  constructor(folder: string, makeFolder: () => Promise<void>) {
    this.#folder = folder;
    this.#open = makeFolder;
  }

  async add(line: number, by: number): Promise<void> {
    const pair = Buffer.allocUnsafe(PAIR);
    pair.writeUInt32LE(line % LINES);
    pair.writeDoubleLE(by, 4);
    const at = Math.floor(line / LINES);
    const bucket = (this.#buckets[at] ??= { waiting: [], file: undefined });
    bucket.waiting.push(pair);
    this.#held += PAIR;
    if (this.#held >= HELD_BYTES) await this.#spill();
  }

  async *inOrder(): AsyncGenerator<[line: number, by: number]> {
    for (const [at, bucket] of this.#buckets.entries()) {
      // A sparse array's entries would also include its gaps.
      if ((bucket as unknown) === undefined) continue;
      const by = new Float64Array(LINES);
      const put = (pairs: Buffer): void => {
        for (let from = 0; from < pairs.length; from += PAIR)
          by[pairs.readUInt32LE(from)] = pairs.readDoubleLE(from + 4);
      };
      if (bucket.file !== undefined) for await (const pairs of piecesOf(bucket.file, PAIR)) put(pairs);
      bucket.waiting.forEach(put);
      for (const [n, wins] of by.entries()) if (wins > 0) yield [at * LINES + n, wins];
    }
  }

  async close(): Promise<void> {
    for (const bucket of this.#buckets) await (bucket as typeof bucket | undefined)?.file?.close();
  }

  async #spill(): Promise<void> {
    await this.#open();
    for (const [at, bucket] of this.#buckets.entries()) {
      if ((bucket as unknown) === undefined || bucket.waiting.length === 0) continue;
      bucket.file ??= await open(join(this.#folder, `duplicates-${at}`), 'w+');
      await bucket.file.appendFile(Buffer.concat(bucket.waiting));
      bucket.waiting = [];
    }
    this.#held = 0;
  }
}

/** Reads a file of records, in chunks of whole records. */
export async function* piecesOf(file: FileHandle, recordBytes: number): AsyncGenerator<Buffer> {
  const piece = Buffer.alloc(recordBytes * 65_536);
  for (let at = 0; ;) {
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    const whole = bytesRead - (bytesRead % recordBytes);
    if (whole === 0) return;
    yield piece.subarray(0, whole);
    at += whole;
  }
}

import { hash, randomUUID } from 'node:crypto';
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import type { Document } from '@embedmill/jobs';
import { piecesOf, DuplicateLines } from './duplicate-lines.ts';

/**
 * Finds the lines of a job whose document is repeated on a later line (the last one wins).
 *
 * Two modes: in memory while the job is small, and spilled to files by the id's hash once more than `memoryRecords` ids
 * were seen, so that memory stays constant whatever the job's size. A record is 16 bytes of the hash of (tenant, id)
 * and the line as a float64. Equal hashes are in the same partition, so partitions can be read one by one. Used only by
 * the scan: `add` in order of lines, then `duplicates` once, then `close`.
 */
const RECORD = 24;
const PARTITIONS = 256;

export class DuplicateFinder {
  readonly #folder = join(tmpdir(), `embedmill-ids-${randomUUID()}`);
  readonly #partitions: Partition[];
  readonly #pairs: DuplicateLines;

  constructor(memoryRecords = 2_000_000) {
    const folder = this.#folder;
    const each = Math.max(1, Math.ceil(memoryRecords / PARTITIONS));
    this.#pairs = new DuplicateLines(folder, () => makeFolder(folder));
    this.#partitions = Array.from({ length: PARTITIONS }, (_, n) => new Partition(folder, n, each));
  }

  async add(document: Pick<Document, 'tenant' | 'id'>, line: number): Promise<void> {
    const key = hash('sha256', JSON.stringify([document.tenant, document.id]), 'buffer');
    const partition = this.#partitions[key.readUInt8(16) % PARTITIONS];
    if (partition?.add(key, line)) await partition.spill();
  }

  /**
   * Pairs of a repeated line and the last line with the same document, in order of lines. Memory grows with neither.
   */
  async *duplicates(): AsyncGenerator<[line: number, by: number]> {
    for (const partition of this.#partitions) {
      const last = new Map<string, number>();
      let records = 0;
      for await (const [key, line] of partition.records()) {
        last.set(key, line);
        records += 1;
      }
      if (records === last.size) continue;
      for await (const [key, line] of partition.records()) {
        const wins = last.get(key) ?? line;
        if (wins !== line) await this.#pairs.add(line, wins);
      }
    }
    yield* this.#pairs.inOrder();
  }

  async close(): Promise<void> {
    for (const partition of this.#partitions) await partition.close();
    await this.#pairs.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

class Partition {
  readonly #folder: string;
  readonly #path: string;
  readonly #capacity: number;
  #buffer = Buffer.alloc(0);
  #used = 0;
  #file: FileHandle | undefined;

  constructor(folder: string, number: number, capacity: number) {
    this.#folder = folder;
    this.#path = join(folder, String(number));
    this.#capacity = capacity * RECORD;
  }

  /** Whether it is full and must be spilled before the next record. */
  add(key: Buffer, line: number): boolean {
    if (this.#used + RECORD > this.#buffer.length) {
      const grown = Buffer.alloc(Math.min(this.#capacity, Math.max(RECORD * 64, this.#buffer.length * 2)));
      this.#buffer.copy(grown, 0, 0, this.#used);
      this.#buffer = grown;
    }
    key.copy(this.#buffer, this.#used, 0, 16);
    this.#buffer.writeDoubleLE(line, this.#used + 16);
    this.#used += RECORD;
    return this.#used + RECORD > this.#capacity;
  }

  async spill(): Promise<void> {
    if (this.#file === undefined) {
      await makeFolder(this.#folder);
      this.#file = await open(this.#path, 'w+');
    }
    await this.#file.appendFile(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  async *records(): AsyncGenerator<[key: string, line: number]> {
    if (this.#file !== undefined)
      for await (const piece of piecesOf(this.#file, RECORD)) yield* recordsIn(piece);
    yield* recordsIn(this.#buffer.subarray(0, this.#used));
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}

function* recordsIn(bytes: Buffer): Generator<[key: string, line: number]> {
  for (let at = 0; at < bytes.length; at += RECORD)
    yield [bytes.toString('latin1', at, at + 16), bytes.readDoubleLE(at + 16)];
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

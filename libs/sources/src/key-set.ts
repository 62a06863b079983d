import { hash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobId, TenantId } from '@embedmill/jobs';
import type { DocumentKey } from './document-line.ts';
import type { SpooledJob } from './spooled-job.ts';

/**
 * The set of a job's documents and their tenants, as sorted 64-bit hashes of their keys: 8 bytes per document, in a
 * file of the spool and, once loaded, in memory. A collision, which has a probability of 1 in 10^19 for a pair, makes a
 * document count as present.
 *
 * A writer distributes hashes over files by their first byte, so that each file can be sorted separately, and memory
 * stays constant whatever the job's size. Written by the scan of a snapshot; loaded by the dispatcher, one set at a
 * time.
 */
const BYTES = BigUint64Array.BYTES_PER_ELEMENT;
const PARTITIONS = 256;
/** The hashes of a partition buffered in memory before they are appended to its file. */
const BUFFERED = 4096;
const MOST_TENANTS = 10_000;

const hashOf = (...names: string[]): bigint =>
  hash('sha256', JSON.stringify(names), 'buffer').readBigUInt64BE();

export class KeySet {
  readonly #hashes: BigUint64Array;

  private constructor(hashes: BigUint64Array) {
    this.#hashes = hashes;
  }

  /** Errors: `spool_unavailable`, also if the job has none. */
  static async load(spool: Pick<SpooledJob, 'readKeys'>, job: JobId): Promise<KeySet> {
    return KeySet.read(spool.readKeys(job));
  }

  /** The file's bytes as written by `write`. */
  static async read(file: AsyncIterable<Uint8Array>): Promise<KeySet> {
    return new KeySet(hashesIn(Buffer.concat(await Array.fromAsync(file))));
  }

  has({ tenant, id }: DocumentKey): boolean {
    return this.#has(hashOf(tenant, id));
  }

  /** Whether it contains documents of the tenant. */
  hasTenant(tenant: TenantId): boolean {
    return this.#has(hashOf(tenant));
  }

  #has(wanted: bigint): boolean {
    let [from, to] = [0, this.#hashes.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#hashes[middle] ?? 0n) < wanted) from = middle + 1;
      else to = middle;
    }
    return this.#hashes[from] === wanted;
  }
}

/** Writes a key set: `add` each key, then `write` once, then `close`. */
export class KeySetWriter {
  readonly #folder = join(tmpdir(), `embedmill-keys-${randomUUID()}`);
  /** The tenants added recently; others may be added again. */
  readonly #tenants = new Set<TenantId>();
  readonly #partitions: Partition[];

  constructor(buffered = BUFFERED) {
    this.#partitions = Array.from({ length: PARTITIONS }, (_, n) => new Partition(this.#folder, n, buffered));
  }

  /** Adds a document of the job. */
  async add(key: DocumentKey): Promise<void> {
    await this.addFailed(key);
    if (this.#tenants.has(key.tenant)) return;
    if (this.#tenants.size >= MOST_TENANTS) this.#tenants.clear();
    this.#tenants.add(key.tenant);
    await this.#add(hashOf(key.tenant));
  }

  /** Adds a document of which only the id is known; its tenant may be wrong. */
  addFailed({ tenant, id }: DocumentKey): Promise<void> {
    return this.#add(hashOf(tenant, id));
  }

  async #add(hashed: bigint): Promise<void> {
    await this.#partitions[Number(hashed >> 56n)]?.add(hashed);
  }

  async write(spool: Pick<SpooledJob, 'writeKeys'>, job: JobId): Promise<void> {
    await spool.writeKeys(job, this.#sorted());
  }

  async close(): Promise<void> {
    for (const partition of this.#partitions) await partition.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async *#sorted(): AsyncGenerator<Uint8Array> {
    for (const partition of this.#partitions) {
      const hashes = (await partition.hashes()).sort();
      yield new Uint8Array(hashes.buffer, hashes.byteOffset, hashes.byteLength);
    }
  }
}

class Partition {
  readonly #folder: string;
  readonly #path: string;
  readonly #most: number;
  readonly #buffered: bigint[] = [];
  #file: FileHandle | undefined;

  constructor(folder: string, number: number, most: number) {
    this.#most = most;
    this.#folder = folder;
    this.#path = join(folder, String(number));
  }

  async add(hashed: bigint): Promise<void> {
    this.#buffered.push(hashed);
    if (this.#buffered.length < this.#most) return;
    if (this.#file === undefined) {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      this.#file = await open(this.#path, 'wx', 0o600);
    }
    const hashes = BigUint64Array.from(this.#buffered.splice(0));
    await this.#file.appendFile(new Uint8Array(hashes.buffer));
  }

  async hashes(): Promise<BigUint64Array> {
    const spilled = this.#file === undefined ? Buffer.alloc(0) : await readFile(this.#path);
    return hashesIn(Buffer.concat([spilled, new Uint8Array(BigUint64Array.from(this.#buffered).buffer)]));
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}

/** Copies the bytes, to align them for 64-bit numbers. */
function hashesIn(bytes: Uint8Array): BigUint64Array {
  return new BigUint64Array(Uint8Array.from(bytes).buffer, 0, Math.floor(bytes.length / BYTES));
}

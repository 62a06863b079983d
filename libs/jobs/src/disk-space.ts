import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The default reserve, in bytes and as a share of the disk; the lesser applies. */
const USUAL_BYTES = 1024 ** 3;
const USUAL_SHARE = 0.05;
/** How long a measurement is reused, because there are hundreds of writes per second. */
const LOOK_MS = 100;

/**
 * The free space of a folder's disk, minus a reserve. The reserve protects the queue, the logs and memory-mapped files of
 * stores, none of which survives a full disk. Whoever is about to write much asks first, and defers its work if there is
 * not enough space.
 */
export class DiskSpace {
  readonly #folder: string;
  readonly #reserve: number | undefined;
  #looked = { at: -Infinity, free: Infinity, total: Infinity, reserve: 0 };

  /** `reserve` in bytes; 1 GiB or 5 % of the disk by default. */
  constructor(folder: string, reserve?: number) {
    this.#folder = folder;
    this.#reserve = reserve;
  }

  /**
   * Why this many further bytes cannot be written, as a sentence; undefined if there is room. `share` is the part of the
   * reserve to keep: 1, or less for work that frees space in the end.
   */
  async lack(bytes = 0, share = 1): Promise<string | undefined> {
    const { free, reserve } = await this.#look();
    if (free - bytes >= reserve * share) return undefined;
    const megabytes = (count: number) => `${Math.ceil(count / 1024 ** 2)} MiB`;
    return `the disk of ${this.#folder} is full; free space: ${megabytes(free)} are left, but ${megabytes(reserve)} must stay free (EMBEDMILL_DISK_RESERVE_BYTES)`;
  }

  /** The disk's sizes in bytes; `free` is what programs may use, including the reserve. */
  async space(): Promise<{ free: number; total: number; reserve: number }> {
    const { free, total, reserve } = await this.#look();
    return { free, total, reserve };
  }

  async #look(): Promise<{ free: number; total: number; reserve: number }> {
    const now = performance.now();
    if (now - this.#looked.at > LOOK_MS) {
      const { bavail, blocks, bsize } = await statfsOf(this.#folder);
      const usual = Math.min(USUAL_BYTES, Math.floor(blocks * bsize * USUAL_SHARE));
      const [free, total] = [bavail * bsize, blocks * bsize];
      this.#looked = { at: now, free, total, reserve: this.#reserve ?? usual };
    }
    return this.#looked;
  }
}

/** For the folder, or its nearest existing parent. */
async function statfsOf(folder: string): Promise<StatsFs> {
  return statfs(folder).catch((error: unknown) => {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isMissing || dirname(folder) === folder) throw error;
    return statfsOf(dirname(folder));
  });
}

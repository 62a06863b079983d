import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Kept where nothing else is asked for, in bytes and as a share of the disk: whichever is less. */
const USUAL_BYTES = 1024 ** 3;
const USUAL_SHARE = 0.05;
/** How long one look stands for others: writes come by the hundred a second. */
const LOOK_MS = 100;

/**
 * The free space of the disk that a folder is on, less a reserve that is never used: what keeps the queue, logs and the
 * files that a store has mapped into memory from meeting a full disk, which none of them survives. Whoever is about to
 * write much asks first, and puts its work off where there is not enough.
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
   * What is missing to write so many bytes more, as a sentence; undefined where there is room. `share` of the reserve is
   * left alone: 1, or less for what makes room in the end.
   */
  async lack(bytes = 0, share = 1): Promise<string | undefined> {
    const { free, reserve } = await this.#look();
    if (free - bytes >= reserve * share) return undefined;
    const megabytes = (count: number) => `${Math.ceil(count / 1024 ** 2)} MiB`;
    return `the disk of ${this.#folder} is full; free space: ${megabytes(free)} are left, and ${megabytes(reserve)} are kept (EMBEDMILL_DISK_RESERVE_BYTES)`;
  }

  /** How much there is of it, in bytes; free is what programs may use, the reserve included. */
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

/** Of the folder, or where it is to be made. */
async function statfsOf(folder: string): Promise<StatsFs> {
  return statfs(folder).catch((error: unknown) => {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isMissing || dirname(folder) === folder) throw error;
    return statfsOf(dirname(folder));
  });
}

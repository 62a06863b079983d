import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A disk of some megabytes, in memory, that can be filled to its last byte. */
export class SmallDisk {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Undefined if mounting is not allowed. */
  static async mount(megabytes: number): Promise<SmallDisk | undefined> {
    const folder = await mkdtemp(join(tmpdir(), 'em-disk-'));
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
      return new SmallDisk(folder);
    } catch {
      await rmdir(folder);
      return undefined;
    }
  }

  async fill(): Promise<void> {
    const file = await open(this.#filler, 'a');
    try {
      for (let block = 1 << 20; block >= 1;) {
        const full = await file.write(Buffer.alloc(block)).then(
          ({ bytesWritten }) => bytesWritten < block,
          () => true,
        );
        if (full) block = Math.floor(block / 16);
      }
    } finally {
      await file.close();
    }
  }

  async free(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  async unmount(): Promise<void> {
    await run('umount', ['-l', this.folder]);
    await rmdir(this.folder);
  }

  get #filler(): string {
    return join(this.folder, 'filler');
  }
}

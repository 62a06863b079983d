import { readdir } from 'node:fs/promises';

/** The files in a spool's folder, by relative name. If a folder disappears while it is read, it is read again. */
export async function spooledFiles(folder: string): Promise<string[]> {
  for (;;) {
    try {
      return (await readdir(folder, { recursive: true })).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Without the spool itself there is nothing to wait for.
      await readdir(folder);
    }
  }
}

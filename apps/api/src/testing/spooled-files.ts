import { readdir } from 'node:fs/promises';

/** What lies in a spool's folder, below it and by name. A folder may go while it is read: then it is read again. */
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

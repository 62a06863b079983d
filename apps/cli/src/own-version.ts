import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The version of this command line; its package.json lies above the sources and the bundle alike. */
export function ownVersion(): string {
  const file = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(file)).version;
}

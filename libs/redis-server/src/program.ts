import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A redis-server that can be started here. */
export interface RedisProgram {
  path: string;
  origin: 'PATH' | 'package';
  /** The additional environment variables that it needs. */
  environment: Record<string, string>;
}

/** The first executable of this name on the PATH. */
export function programOnPath(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

import { pino, type Logger } from 'pino';
import { logFields } from './fields.ts';
import { CENSORED, SECRET_PATHS, withoutSecrets } from './secrets.ts';

/**
 * One process's log. Lines are joined by their fields: `request`, `job` and `shard`, which come with the work that is
 * being done (fields.ts), and `batch`, a number that one worker's encoder gave.
 */
export type Log = Logger;

/** Characters that are held for an output that takes none for the moment. */
const MOST_HELD = 1 << 20;

export interface LogOptions {
  app: 'api' | 'worker' | 'store';
  level: string;
  /** Standard output by default. */
  destination?: { write(line: string): void };
}

/** A log of JSON lines: level, time, app, pid, msg, and an error as `err`. No secret is in any line (secrets.ts). */
export function createLog({ app, level, destination }: LogOptions): Log {
  const options = {
    level,
    base: { app, pid: process.pid },
    redact: { paths: [...SECRET_PATHS], censor: CENSORED },
    // A copy: pino adds the line's own fields to it.
    mixin: () => ({ ...logFields() }),
    hooks: { streamWrite: withoutSecrets },
  };
  return pino(options, destination ?? standardOutput());
}

/** Where nobody reads any more, or the disk below is full, lines are dropped: a log ends no process. */
function standardOutput() {
  const output = pino.destination({ fd: 1, sync: true, maxLength: MOST_HELD });
  output.on('error', () => undefined);
  return output;
}

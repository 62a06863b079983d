import { pino, type Logger } from 'pino';
import { logFields } from './fields.ts';
import { CENSORED, SECRET_PATHS, withoutSecrets } from './secrets.ts';

/**
 * One process's log. Lines are correlated by their fields: `request`, `job` and `shard`, which come from the current
 * work (fields.ts), and `batch`, a number within one worker's encoder.
 */
export type Log = Logger;

/** The characters that are buffered while the output accepts none. */
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
    // A copy, because pino adds the line's own fields to it.
    mixin: () => ({ ...logFields() }),
    hooks: { streamWrite: withoutSecrets },
  };
  return pino(options, destination ?? standardOutput());
}

/** Lines are dropped if nobody reads them any more or the disk is full: logging never ends a process. */
function standardOutput() {
  const output = pino.destination({ fd: 1, sync: true, maxLength: MOST_HELD });
  output.on('error', () => undefined);
  return output;
}

import { AsyncLocalStorage } from 'node:async_hooks';

/** The fields by which log lines are correlated. */
export interface LogFields {
  readonly request?: string;
  readonly job?: string;
  /** Its index in the job. */
  readonly shard?: number;
}

const fields = new AsyncLocalStorage<LogFields>();
const NONE: LogFields = {};

/** Runs work whose log lines all carry these fields, whichever code logs them. */
export function withLogFields<T>(more: LogFields, work: () => T): T {
  return fields.run({ ...fields.getStore(), ...more }, work);
}

/** The fields of log lines in the current context. */
export function logFields(): LogFields {
  return fields.getStore() ?? NONE;
}

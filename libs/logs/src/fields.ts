import { AsyncLocalStorage } from 'node:async_hooks';

/** What lines are joined by. */
export interface LogFields {
  readonly request?: string;
  readonly job?: string;
  /** Its index in the job. */
  readonly shard?: number;
}

const fields = new AsyncLocalStorage<LogFields>();
const NONE: LogFields = {};

/** Does some work, whose lines all carry these fields, whoever logs them. */
export function withLogFields<T>(more: LogFields, work: () => T): T {
  return fields.run({ ...fields.getStore(), ...more }, work);
}

/** The fields that lines carry here. */
export function logFields(): LogFields {
  return fields.getStore() ?? NONE;
}

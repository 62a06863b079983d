export { logFields, withLogFields, type LogFields } from './fields.ts';
export { createLog, type Log, type LogOptions } from './log.ts';
export { withoutSecrets } from './secrets.ts';

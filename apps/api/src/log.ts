import { pino, type Logger } from 'pino';

/** Whatever is logged by mistake, these never show: keys, and URLs that may have a password in them. */
const SECRETS = [
  'authorization',
  'cookie',
  'apiKey',
  'qdrantApiKey',
  'redisUrl',
  'redisSentinelPassword',
  'postgresUrl',
  'password',
  'options.password',
  'headers.authorization',
  'headers.cookie',
];

/** The API's log: one JSON object a line on standard output. */
export function createLog(level: string, destination?: { write(line: string): void }): Logger {
  const paths = [...SECRETS, ...SECRETS.flatMap((path) => [`*.${path}`, `*.*.${path}`])];
  const options = { level, base: { app: 'api', pid: process.pid }, redact: { paths, censor: '[secret]' } };
  return destination === undefined ? pino(options) : pino(options, destination);
}

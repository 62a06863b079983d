/**
 * The one place that defines what is never logged: values of fields with certain names, and anything in a text that
 * looks like a credential.
 */

/** Fields that hold keys, or URLs that may have a password in them. */
const FIELDS = [
  ...['apiKey', 'qdrantApiKey', 'metricsKey', 'redisUrl', 'redisSentinelPassword', 'postgresUrl'],
  ...['password', 'secret', 'token', 'secretAccessKey', 'sessionToken'],
  ...['authorization', 'cookie', 'set-cookie', 'x-api-key', 'api-key', 'proxy-authorization'],
  ...[
    'REDIS_URL',
    'REDIS_SENTINEL_PASSWORD',
    'QUEUE_URL',
    'QDRANT_API_KEY',
    'MILVUS_TOKEN',
    'EMBEDMILL_WORKER_REMOTE_KEY',
  ],
  ...['EMBEDMILL_API_METRICS_KEY', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'],
] as const;
/** How deep these fields are searched for: a config, an error's options, a request's headers. */
const DEEPEST = 3;

export const CENSORED = '[secret]';

/** Paths for pino's `redact`. */
export const SECRET_PATHS: readonly string[] = Array.from({ length: DEEPEST + 1 }, (_, depth) =>
  FIELDS.map((field) => {
    const above = Array.from({ length: depth }, () => '*').join('.');
    if (/^\w+$/.test(field)) return above === '' ? field : `${above}.${field}`;
    return `${above}["${field}"]`;
  }),
).flat();

/** Credentials in the text of messages, stacks and any fields. In JSON, a backslash precedes a quote. */
const CREDENTIALS: readonly [RegExp, string][] = [
  // The authority's user and password: rediss://user:password@host. The last @ before the path ends them.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s"/\\]*@/gi, `$1${CENSORED}@`],
  [/\bem_([0-9a-f]{12})_[A-Za-z0-9_-]{43}/g, `em_$1_${CENSORED}`],
  [/\bwhsec_[A-Za-z0-9+/=]+/g, `whsec_${CENSORED}`],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{4,}/gi, `$1 ${CENSORED}`],
  [
    /([?&](?:api[-_]?key|key|token|access_token|password|sig|signature|x-amz-(?:signature|credential|security-token))=)[^&\s"'\\]+/gi,
    `$1${CENSORED}`,
  ],
];

/** The text without its credentials. A JSON line stays valid JSON. */
export function withoutSecrets(text: string): string {
  return CREDENTIALS.reduce((left, [pattern, replacement]) => left.replace(pattern, replacement), text);
}

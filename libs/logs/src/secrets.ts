/** What is never logged, in one place: values of fields by their names, and what looks like a credential in any text. */

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
/** How deep fields of that name are looked for: a config, an error's options, a request's headers. */
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

/** In the text of messages, stacks and fields of any name. A backslash stands before a quote in JSON. */
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

/** A text without the credentials in it. Of a JSON line, what is left is JSON. */
export function withoutSecrets(text: string): string {
  return CREDENTIALS.reduce((left, [pattern, replacement]) => left.replace(pattern, replacement), text);
}

import { z } from 'zod';
import {
  DEFAULT_MAX_REPORTS,
  EmbedmillError,
  listed,
  FIRST_SECTION_BYTES,
  METADATA_BYTES,
  readSettings,
  sharedConfig,
  sharedSettings,
  webhookSecretSchema,
  type SharedConfig,
} from '@embedmill/jobs';
import { isLoopback } from '@embedmill/metrics';
import type { AccessOptions } from './access/authorize.ts';
import type { LimitOptions } from './access/limits.ts';
import { parseAlias, type ModelAliases } from './models/model-aliases.ts';
import type { RetentionPolicy } from './dispatch/retention.ts';
import type { TokenIds } from './compatible/token-ids.ts';

const GIB = 1024 ** 3;
const DAY_MS = 24 * 3600 * 1000;
const integer = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** Every environment variable that the API reads. */
export const settingsSchema = z.strictObject({
  ...sharedSettings,
  EMBEDMILL_API_HOST: z.string().default('127.0.0.1').meta({ description: 'The address to listen on.' }),
  EMBEDMILL_API_PORT: integer(0, 65_535)
    .default(7070)
    .meta({ description: 'The port to listen on; 0 takes any free one.' }),
  EMBEDMILL_API_NAMES: z.string().optional().meta({
    description:
      'Host names, separated by commas, that a server on loopback accepts beside localhost; it refuses requests to any other.',
  }),
  EMBEDMILL_API_CORS_ORIGINS: z
    .string()
    .default('')
    .refine((list) => urlsIn(list).every(isOrigin), 'must be https://name or https://name:port, …, or *')
    .meta({
      description:
        'Origins, separated by commas, whose pages may call this server from a browser; * allows any. None by default.',
    }),
  EMBEDMILL_API_PATH_PREFIX: z
    .string()
    .regex(/^(\/[\w.~-]+)*$/, 'must look like /mill or /search/mill')
    .default('')
    .meta({
      description:
        'The prefix of all paths, such as /mill, for a proxy that forwards paths unchanged. None by default.',
    }),
  EMBEDMILL_API_SOURCE_DIR: z
    .string()
    .optional()
    .meta({ description: 'The folder below which {"source":{"path"}} may read; none by default.' }),
  EMBEDMILL_API_S3_SOURCES: z
    .string()
    .default('')
    .refine((list) => urlsIn(list).every((url) => url.startsWith('s3://')), 'must be s3://bucket/prefix, …')
    .meta({
      description:
        'The places below which {"source":{"s3"}} may read: s3://bucket/prefix, separated by commas; none by default.',
    }),
  EMBEDMILL_API_S3_TARGETS: z
    .string()
    .default('')
    .refine((list) => urlsIn(list).every((url) => url.startsWith('s3://')), 'must be s3://bucket/prefix, …')
    .meta({
      description:
        'The places below which exports may write: s3://bucket/prefix, separated by commas; none by default.',
    }),
  EMBEDMILL_API_MAX_UPLOAD_BYTES: integer(1, Number.MAX_SAFE_INTEGER)
    .default(64 * GIB)
    .meta({ description: 'The largest upload, and the largest file fetched from a URL, in bytes.' }),
  EMBEDMILL_API_MODEL_ALIASES: z
    .string()
    .optional()
    .refine(
      (list) => listed(list).every((one) => parseAlias(one) !== undefined),
      'must be name=model, …, or name=model@cl100k_base, …',
    )
    .meta({
      description:
        'Aliases that requests may use for models, such as text-embedding-3-small=all-MiniLM-L6-v2, separated by commas. Token ids sent with an alias that is an OpenAI model name, or that ends in @cl100k_base or @o200k_base, are decoded to text.',
    }),
  EMBEDMILL_API_TOKEN_IDS: z.enum(['refused', 'model']).default('refused').meta({
    description:
      'How to treat token ids in requests where no alias decides it: refuse them, or read them in the model’s own vocabulary.',
  }),
  EMBEDMILL_API_METADATA_BYTES: integer(1024, 1024 ** 2)
    .default(METADATA_BYTES)
    .meta({
      description: 'The largest metadata of a document, in bytes of JSON; it is stored with each chunk.',
    }),
  EMBEDMILL_API_SECTION_BYTES: integer(1024, 1024 ** 4)
    .default(FIRST_SECTION_BYTES)
    .meta({
      description:
        'The part of a large NDJSON source that is scanned before its first shards are dispatched, in bytes. Further sections are scanned while they run; each is as large as all before it.',
    }),
  EMBEDMILL_API_QUERY_SECONDS: integer(1, 110)
    .default(30)
    .meta({ description: 'How long a search waits for a worker to embed its query.' }),
  EMBEDMILL_API_SHUTDOWN_SECONDS: integer(1, 600).default(10).meta({
    description: 'How long a shutdown may take; requests in flight finish within this time or are cut off.',
  }),
  EMBEDMILL_API_KEYS_FILE: z.string().optional().meta({
    description: 'A JSON file of API keys, reread when it changes. Required to listen beyond this machine.',
  }),
  EMBEDMILL_API_INSECURE: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Whether the server may listen beyond this machine without any key.' }),
  EMBEDMILL_API_METRICS_KEY: z.string().min(16).optional().meta({
    description:
      'The bearer token for /metrics and the backlog. An admin’s key works too. Where keys are set, nothing else gives access.',
  }),
  EMBEDMILL_API_METRICS_OPEN: z.enum(['true', 'false']).default('false').meta({
    description: 'Whether /metrics and the backlog are public although keys are set.',
  }),
  EMBEDMILL_API_WEBHOOK_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description:
        'A URL that receives a signed POST at the end of every job, in addition to the jobs’ own webhooks.',
    }),
  EMBEDMILL_API_WEBHOOK_SECRET: webhookSecretSchema.optional().meta({
    description: 'The secret that signs them: whsec_ and base64 (Standard Webhooks). Required with a URL.',
  }),
  EMBEDMILL_API_OIDC_ISSUER: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: 'An OpenID Connect issuer whose tokens are accepted in addition to keys.' }),
  EMBEDMILL_API_OIDC_AUDIENCE: z
    .string()
    .optional()
    .meta({ description: 'The audience that tokens must have; required with an issuer.' }),
  EMBEDMILL_API_OIDC_SCOPE_CLAIM: z.string().default('scope').meta({
    description:
      'The claim that holds the scopes (submit, search, admin), as a string or a list; a path reaches nested claims.',
  }),
  EMBEDMILL_API_OIDC_TENANT_CLAIM: z.string().optional().meta({
    description: 'The claim that holds the tenant. Once set, only an admin’s token may lack it.',
  }),
  EMBEDMILL_API_OIDC_CLIENT_ID: z.string().optional().meta({
    description:
      'The client id with which the console signs in: a public client that uses an authorization code with PKCE.',
  }),
  EMBEDMILL_API_OIDC_SCOPES: z
    .string()
    .default('openid')
    .meta({ description: 'The scopes that the console requests from the issuer, separated by spaces.' }),
  EMBEDMILL_API_AUDIT_FILE: z.string().optional().meta({
    description: 'An audit file: who did what, one line of JSON each. The log has the same lines.',
  }),
  EMBEDMILL_API_MAX_REQUESTS: integer(1, 100_000).default(64).meta({
    description:
      'Concurrent requests of one key, not counting uploads; half as many more are reserved for other keys. Requests beyond this are told to retry.',
  }),
  EMBEDMILL_API_MAX_UPLOADS: integer(1, 10_000)
    .default(16)
    .meta({ description: 'Concurrent uploads of one key, with the same reserve.' }),
  EMBEDMILL_API_MAX_STREAMS: integer(1, 1_000_000)
    .default(256)
    .meta({ description: 'Concurrent event streams of one key, with the same reserve.' }),
  EMBEDMILL_API_STORE_READS: integer(1, 10_000).optional().meta({
    description: 'Concurrent reads of the store; by default 4 for the embedded store and 32 for a server.',
  }),
  EMBEDMILL_API_JOBS: integer(1, 100_000)
    .default(10_000)
    .meta({ description: 'Unfinished jobs that a dispatcher runs at the same time; others wait.' }),
  EMBEDMILL_API_SCANS: integer(1, 1000).default(4).meta({
    description: 'Sources scanned at the same time, plus as many small ones.',
  }),
  EMBEDMILL_API_MOST_SHARDS: integer(1, 1_000_000).default(10_000).meta({
    description:
      'The most shards of a model that wait for workers, and the most outstanding shards of a job; each takes 2 kB of Redis.',
  }),
  EMBEDMILL_API_MAX_REPORTS: integer(1, 1_000_000).default(DEFAULT_MAX_REPORTS).meta({
    description:
      'The most failures, and the most warnings, that a job lists, at 400 bytes each on average. Further ones are only counted, and retried all the same.',
  }),
  EMBEDMILL_API_LOCK_SECONDS: integer(1, 600)
    .default(15)
    .meta({ description: 'After this long without a heartbeat, a dispatcher’s jobs move to another.' }),
  EMBEDMILL_API_ALLOWANCES_FILE: z.string().optional().meta({
    description:
      'A JSON file of weights and daily quotas for tenants and keys, reread when it changes. Without it there are no quotas.',
  }),
  EMBEDMILL_API_PRICES: z
    .string()
    .default('')
    .transform((list, context) => pricesIn(list, context))
    .meta({
      description:
        'The price of a million tokens of a model, for usage reports: model=price, separated by commas.',
    }),
  EMBEDMILL_API_USAGE_DAYS: integer(1, 10_000)
    .default(400)
    .meta({ description: 'How long usage is kept, in days.' }),
  EMBEDMILL_API_RETENTION_DAYS: z.coerce
    .number()
    .positive()
    .default(14)
    .meta({ description: 'How long finished jobs are kept, in days.' }),
  EMBEDMILL_API_FAILURE_RETENTION_DAYS: z.coerce.number().positive().default(90).meta({
    description: 'How long finished jobs are kept whose failures nobody has retried or forgotten, in days.',
  }),
  EMBEDMILL_API_FILE_DAYS: z.coerce.number().positive().default(30).meta({
    description: 'How long files of /v1/files are kept by default, in days.',
  }),
  EMBEDMILL_API_RETENTION_JOBS: integer(1, 1_000_000)
    .default(2000)
    .meta({ description: 'How many finished jobs are kept, and in addition how many with failures.' }),
});

function pricesIn(list: string, context: z.RefinementCtx): ReadonlyMap<string, number> {
  const prices = new Map<string, number>();
  for (const one of list.split(',').filter((part) => part.trim() !== '')) {
    const at = one.lastIndexOf('=');
    const [model, price] = [one.slice(0, at).trim(), Number(one.slice(at + 1))];
    if (at < 0 || model === '' || one.slice(at + 1).trim() === '' || !(price >= 0 && price < Infinity)) {
      context.addIssue({ code: 'custom', message: `must be model=price, …; found ${JSON.stringify(one)}` });
      return z.NEVER;
    }
    prices.set(model, price);
  }
  return prices;
}

/** Whether a text is an origin as browsers send it, without a path. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return text === '*' || (url !== null && /^https?:$/.test(url.protocol) && url.origin === text);
}

function urlsIn(list: string): string[] {
  return list.split(',').flatMap((one) => one.trim() || []);
}

export interface ApiConfig extends SharedConfig {
  host: string;
  port: number;
  /** The host names that the server accepts; undefined accepts any, where other machines can reach it. */
  names: string[] | undefined;
  /** Origins whose pages may call the server from a browser; `*` allows any. */
  corsOrigins: readonly string[];
  /** The prefix of request paths; empty for none. */
  pathPrefix: string;
  sourceFolder: string | undefined;
  /** URLs below which objects may be read. */
  s3Sources: readonly string[];
  /** URLs below which exports may write objects. */
  s3Targets: readonly string[];
  maxUploadBytes: number;
  aliases: ModelAliases;
  tokenIds: TokenIds;
  /** The largest metadata of a document. */
  metadataBytes: number;
  /** The first section of a large source. */
  sectionBytes: number;
  queryTimeoutMs: number;
  access: AccessOptions;
  limits: LimitOptions;
  /** The receiver that is notified of every job's end. */
  webhook: { url: string; secret: string } | undefined;
  /** Concurrent calls to the store. */
  storeReads: number;
  shutdownMs: number;
  dispatcher: { jobs: number; scans: number; mostShards: number; maxReports: number; lockMs: number };
  retention: RetentionPolicy;
  /** See `retention`. */
  filesAgeMs: number;
  allowancesFile: string | undefined;
  /** The price of a million tokens, by model. */
  prices: ReadonlyMap<string, number>;
  usageDays: number;
}

/** The API's configuration from its environment. Errors: `invalid_config`. */
export function readConfig(environment: Record<string, string | undefined>): ApiConfig {
  const read = readSettings(settingsSchema, 'EMBEDMILL_API_', environment);
  return {
    ...sharedConfig(read),
    host: read.EMBEDMILL_API_HOST,
    port: read.EMBEDMILL_API_PORT,
    names: isLoopback(read.EMBEDMILL_API_HOST) ? listed(read.EMBEDMILL_API_NAMES?.toLowerCase()) : undefined,
    corsOrigins: urlsIn(read.EMBEDMILL_API_CORS_ORIGINS),
    pathPrefix: read.EMBEDMILL_API_PATH_PREFIX,
    sourceFolder: read.EMBEDMILL_API_SOURCE_DIR,
    s3Sources: urlsIn(read.EMBEDMILL_API_S3_SOURCES),
    s3Targets: urlsIn(read.EMBEDMILL_API_S3_TARGETS),
    maxUploadBytes: read.EMBEDMILL_API_MAX_UPLOAD_BYTES,
    access: accessOf(read),
    webhook: webhookOf(read),
    storeReads:
      read.EMBEDMILL_API_STORE_READS ??
      (read.QDRANT_URL === undefined && read.MILVUS_URL === undefined ? 4 : 32),
    limits: {
      maxRequests: read.EMBEDMILL_API_MAX_REQUESTS,
      maxUploads: read.EMBEDMILL_API_MAX_UPLOADS,
      maxStreams: read.EMBEDMILL_API_MAX_STREAMS,
    },
    aliases: new Map(
      listed(read.EMBEDMILL_API_MODEL_ALIASES).flatMap((one) => {
        const alias = parseAlias(one);
        return alias === undefined ? [] : [alias];
      }),
    ),
    tokenIds: read.EMBEDMILL_API_TOKEN_IDS,
    metadataBytes: read.EMBEDMILL_API_METADATA_BYTES,
    sectionBytes: read.EMBEDMILL_API_SECTION_BYTES,
    queryTimeoutMs: read.EMBEDMILL_API_QUERY_SECONDS * 1000,
    shutdownMs: read.EMBEDMILL_API_SHUTDOWN_SECONDS * 1000,
    dispatcher: {
      jobs: read.EMBEDMILL_API_JOBS,
      scans: read.EMBEDMILL_API_SCANS,
      mostShards: read.EMBEDMILL_API_MOST_SHARDS,
      maxReports: read.EMBEDMILL_API_MAX_REPORTS,
      lockMs: read.EMBEDMILL_API_LOCK_SECONDS * 1000,
    },
    allowancesFile: read.EMBEDMILL_API_ALLOWANCES_FILE,
    prices: read.EMBEDMILL_API_PRICES,
    usageDays: read.EMBEDMILL_API_USAGE_DAYS,
    retention: {
      ageMs: read.EMBEDMILL_API_RETENTION_DAYS * DAY_MS,
      failuresAgeMs: read.EMBEDMILL_API_FAILURE_RETENTION_DAYS * DAY_MS,
      jobs: read.EMBEDMILL_API_RETENTION_JOBS,
      filesAgeMs: read.EMBEDMILL_API_FILE_DAYS * DAY_MS,
    },
    filesAgeMs: read.EMBEDMILL_API_FILE_DAYS * DAY_MS,
  };
}

/** Errors: `invalid_config`, also if anybody could reach the server without a key. */
function accessOf(read: z.output<typeof settingsSchema>): AccessOptions {
  const { EMBEDMILL_API_OIDC_ISSUER: issuer, EMBEDMILL_API_OIDC_AUDIENCE: audience } = read;
  if (issuer !== undefined && audience === undefined) {
    throw wrongSetting(
      'EMBEDMILL_API_OIDC_AUDIENCE',
      'name the audience of the tokens; without it, tokens issued for other services would be accepted',
    );
  }
  if (issuer !== undefined && issuer.startsWith('http:') && !isLoopback(new URL(issuer).hostname)) {
    throw wrongSetting(
      'EMBEDMILL_API_OIDC_ISSUER',
      'use https; over http, an intermediary could replace the issuer’s keys',
    );
  }
  const keysFile = read.EMBEDMILL_API_KEYS_FILE;
  const isOpen = keysFile === undefined && issuer === undefined;
  if (isOpen && read.EMBEDMILL_API_INSECURE === 'false' && !isLoopback(read.EMBEDMILL_API_HOST)) {
    throw wrongSetting(
      'EMBEDMILL_API_HOST',
      `${read.EMBEDMILL_API_HOST} can be reached from other machines, but no keys are set: make one with ` +
        '"embedmill keys create --name me --scopes admin --file keys.json" and set EMBEDMILL_API_KEYS_FILE, or set ' +
        'EMBEDMILL_API_OIDC_ISSUER. If something else controls access, set EMBEDMILL_API_INSECURE=true',
    );
  }
  return {
    keysFile,
    auditFile: read.EMBEDMILL_API_AUDIT_FILE,
    metricsKey: read.EMBEDMILL_API_METRICS_KEY,
    metricsOpen: read.EMBEDMILL_API_METRICS_OPEN === 'true',
    oidc:
      issuer === undefined || audience === undefined
        ? undefined
        : {
            issuer,
            audience,
            scopeClaim: read.EMBEDMILL_API_OIDC_SCOPE_CLAIM,
            tenantClaim: read.EMBEDMILL_API_OIDC_TENANT_CLAIM,
            clientId: read.EMBEDMILL_API_OIDC_CLIENT_ID,
            scopes: read.EMBEDMILL_API_OIDC_SCOPES.split(' ').filter((scope) => scope !== ''),
          },
  };
}

function webhookOf(read: z.output<typeof settingsSchema>): ApiConfig['webhook'] {
  const { EMBEDMILL_API_WEBHOOK_URL: url, EMBEDMILL_API_WEBHOOK_SECRET: secret } = read;
  if (url === undefined) return undefined;
  if (secret !== undefined) return { url, secret };
  const message = 'receivers need it to verify the sender; make one: echo "whsec_$(openssl rand -base64 32)"';
  throw wrongSetting('EMBEDMILL_API_WEBHOOK_SECRET', message);
}

function wrongSetting(path: string, message: string): EmbedmillError {
  return new EmbedmillError('invalid_config', `${path}: ${message}`, { details: [{ path, message }] });
}

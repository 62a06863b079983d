import { join, resolve } from 'node:path';
import { z } from 'zod';
import { EmbedmillError } from './errors.ts';
import { milvusConfig, milvusSettings, type MilvusConfig } from './milvus-settings.ts';
import { qdrantConfig, qdrantSettings, type QdrantConfig } from './qdrant-settings.ts';

/** Environment variables that mean the same in every app. */
export const sharedSettings = {
  REDIS_URL: z.string().default('redis://127.0.0.1:6379').meta({
    description:
      'Redis: redis://, redis+sentinel://, redis+cluster://, each with rediss for TLS, or the absolute path of a unix socket.',
  }),
  REDIS_TLS_CA: z.string().optional().meta({
    description: 'A file of certificates, in PEM, of the authority that signed those of Redis.',
  }),
  REDIS_SENTINEL_PASSWORD: z.string().optional().meta({
    description: 'The sentinels’ own password, where they have one.',
  }),
  QUEUE_URL: z.string().optional().meta({
    description: 'What holds the queue: postgres://, or as REDIS_URL, which it is by default.',
  }),
  QDRANT_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL, as in http://127.0.0.1:6333' })
    .optional()
    .meta({ description: 'A Qdrant to keep the vectors in; without it, the embedded store.' }),
  QDRANT_API_KEY: z.string().optional().meta({ description: 'Qdrant’s key.' }),
  ...qdrantSettings,
  ...milvusSettings,
  EMBEDMILL_DATA_DIR: z
    .string()
    .default('.embedmill')
    .meta({ description: 'The folder of everything that is kept on this machine.' }),
  EMBEDMILL_STORE_SOCKET: z
    .string()
    .optional()
    .meta({ description: 'Where the embedded store listens; store.sock in the data folder by default.' }),
  EMBEDMILL_DISK_RESERVE_BYTES: z.coerce.number().int().min(0).optional().meta({
    description:
      'Free space that is kept on the disks of the data folder and the spool: below it new work is refused, and jobs wait; 1 GiB or 5 % of the disk by default, whichever is less.',
  }),
  EMBEDMILL_SPOOL_DIR: z.string().optional().meta({
    description: 'Uploads and reports; spool in the data folder by default. Api and workers share it.',
  }),
  EMBEDMILL_SPOOL_URL: z
    .string()
    .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]+[a-z0-9](\/.*)?$/, 'must be s3://bucket or s3://bucket/prefix')
    .optional()
    .meta({ description: 'The same in a bucket, s3://bucket/prefix, in place of the folder.' }),
  EMBEDMILL_S3_PATH_STYLE: z
    .stringbool()
    .default(false)
    .meta({ description: 'Whether the bucket is named in the path, as MinIO and others want it.' }),
  EMBEDMILL_MODELS_DIR: z.string().optional().meta({ description: 'A folder with more models.' }),
  EMBEDMILL_MODEL_CACHE_DIR: z
    .string()
    .optional()
    .meta({ description: 'Where downloaded models go; models in the data folder by default.' }),
  EMBEDMILL_HUB_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: 'Where models are downloaded from.' }),
  EMBEDMILL_FETCH_ALLOW: z.string().optional().meta({
    description:
      'Hosts, addresses and CIDR ranges, separated by commas, that sources of jobs and pictures may be fetched from though they are not public.',
  }),
  EMBEDMILL_OTLP_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: 'An OTLP/HTTP collector that traces are sent to; none by default.' }),
  EMBEDMILL_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .meta({ description: 'The least level that is logged.' }),
};

type SharedSettings = z.output<z.ZodObject<typeof sharedSettings>>;

/** What holds the queue, and how it is reached. */
export type QueueAddress =
  | { redisUrl: string; redisTlsCa: string | undefined; redisSentinelPassword: string | undefined }
  | { postgresUrl: string };

export interface SharedConfig {
  queue: QueueAddress;
  qdrantUrl: string | undefined;
  qdrantApiKey: string | undefined;
  qdrant: QdrantConfig;
  /** Undefined where the vectors are elsewhere. */
  milvus: MilvusConfig | undefined;
  dataFolder: string;
  storeSocket: string;
  /** Bytes that are kept free; undefined: as usual. */
  diskReserve: number | undefined;
  /** Where the spool is: a folder, or s3://bucket/prefix. */
  spool: string;
  s3: { pathStyle: boolean };
  modelsFolder: string | undefined;
  modelCacheFolder: string;
  hubUrl: string | undefined;
  /** Where may be fetched from beside the public internet. */
  fetchAllow: string[];
  otlpUrl: string | undefined;
  logLevel: SharedSettings['EMBEDMILL_LOG_LEVEL'];
}

/** The shared settings under their names in code, with the paths that follow from the data folder. */
export function sharedConfig(read: SharedSettings): SharedConfig {
  if (read.QDRANT_URL !== undefined && read.MILVUS_URL !== undefined) throw twoStores();
  const dataFolder = resolve(read.EMBEDMILL_DATA_DIR);
  return {
    queue: queueAddress(read),
    qdrantUrl: read.QDRANT_URL,
    qdrantApiKey: read.QDRANT_API_KEY,
    qdrant: qdrantConfig(read),
    milvus: milvusConfig(read),
    dataFolder,
    diskReserve: read.EMBEDMILL_DISK_RESERVE_BYTES,
    storeSocket: read.EMBEDMILL_STORE_SOCKET ?? join(dataFolder, 'store.sock'),
    spool: read.EMBEDMILL_SPOOL_URL ?? resolve(read.EMBEDMILL_SPOOL_DIR ?? join(dataFolder, 'spool')),
    s3: { pathStyle: read.EMBEDMILL_S3_PATH_STYLE },
    modelsFolder: read.EMBEDMILL_MODELS_DIR,
    modelCacheFolder: resolve(read.EMBEDMILL_MODEL_CACHE_DIR ?? join(dataFolder, 'models')),
    hubUrl: read.EMBEDMILL_HUB_URL,
    fetchAllow: listed(read.EMBEDMILL_FETCH_ALLOW),
    otlpUrl: read.EMBEDMILL_OTLP_URL,
    logLevel: read.EMBEDMILL_LOG_LEVEL,
  };
}

function twoStores(): EmbedmillError {
  const message = 'is set beside MILVUS_URL: vectors are kept in one store; unset one of them';
  return new EmbedmillError('invalid_config', `QDRANT_URL: ${message}`, {
    details: [{ path: 'QDRANT_URL', message }],
  });
}

export function queueAddress(
  read: Pick<SharedSettings, 'REDIS_URL' | 'REDIS_TLS_CA' | 'REDIS_SENTINEL_PASSWORD' | 'QUEUE_URL'>,
): QueueAddress {
  const url = read.QUEUE_URL ?? read.REDIS_URL;
  if (/^postgres(ql)?:/.test(url)) return { postgresUrl: url };
  return {
    redisUrl: url,
    redisTlsCa: read.REDIS_TLS_CA,
    redisSentinelPassword: read.REDIS_SENTINEL_PASSWORD,
  };
}

/** The parts of a setting that is a list. */
export function listed(setting = ''): string[] {
  return setting.split(',').flatMap((one) => one.trim() || []);
}

/** An app's own settings, by the prefix of their names; each app passes over the others'. */
const APP_PREFIXES = ['EMBEDMILL_API_', 'EMBEDMILL_WORKER_'] as const;
/** Settings of the command line and of the tests, which its child processes inherit. */
const OF_NO_APP = ['EMBEDMILL_URL', 'EMBEDMILL_KEY', 'EMBEDMILL_SHARED', 'EMBEDMILL_SEED'];

/**
 * An app's settings from its environment, by one schema whose keys are the variables' names. An empty variable
 * counts as not set. Throws `invalid_config` that names each variable that is wrong or unknown, so that a
 * misspelt one is not passed over.
 */
export function readSettings<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  prefix: (typeof APP_PREFIXES)[number],
  environment: Record<string, string | undefined>,
): z.output<z.ZodObject<Shape>> {
  const others = APP_PREFIXES.filter((one) => one !== prefix);
  const given = Object.entries(environment).filter(
    ([name, value]) =>
      (name.startsWith('EMBEDMILL_') || name in sharedSettings) &&
      !others.some((other) => name.startsWith(other)) &&
      !OF_NO_APP.includes(name) &&
      value !== undefined &&
      value !== '',
  );
  const parsed = schema.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const details = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((path) => ({ path, message: 'there is no such setting; is it misspelt?' }))
      : [{ path: issue.path.join('.'), message: issue.message }],
  );
  const message = details.map((detail) => `${detail.path}: ${detail.message}`).join('; ');
  throw new EmbedmillError('invalid_config', message, { details });
}

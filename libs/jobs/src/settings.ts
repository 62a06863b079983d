import { join, resolve } from 'node:path';
import { z } from 'zod';
import { EmbedmillError } from './errors.ts';
import { milvusConfig, milvusSettings, type MilvusConfig } from './milvus-settings.ts';
import { qdrantConfig, qdrantSettings, type QdrantConfig } from './qdrant-settings.ts';

/** Environment variables that all apps share. */
export const sharedSettings = {
  REDIS_URL: z.string().default('redis://127.0.0.1:6379').meta({
    description:
      'The address of Redis: redis://, redis+sentinel:// or redis+cluster:// (rediss for TLS), or the absolute path of a Unix socket.',
  }),
  REDIS_TLS_CA: z.string().optional().meta({
    description: 'A PEM file of the certificate authority that signed Redis’ certificates.',
  }),
  REDIS_SENTINEL_PASSWORD: z.string().optional().meta({
    description: 'The sentinels’ password, if they have their own.',
  }),
  QUEUE_URL: z.string().optional().meta({
    description: 'The address of the queue: postgres://, or any form of REDIS_URL; REDIS_URL by default.',
  }),
  QDRANT_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL, as in http://127.0.0.1:6333' })
    .optional()
    .meta({ description: 'The Qdrant that stores the vectors; without it, the embedded store does.' }),
  QDRANT_API_KEY: z.string().optional().meta({ description: 'Qdrant’s key.' }),
  ...qdrantSettings,
  ...milvusSettings,
  EMBEDMILL_DATA_DIR: z
    .string()
    .default('.embedmill')
    .meta({ description: 'The folder for everything that is kept on this machine.' }),
  EMBEDMILL_STORE_SOCKET: z
    .string()
    .optional()
    .meta({ description: 'The socket of the embedded store; store.sock in the data folder by default.' }),
  EMBEDMILL_DISK_RESERVE_BYTES: z.coerce.number().int().min(0).optional().meta({
    description:
      'Bytes to keep free on the disks of the data folder and the spool. Below that, new work is refused and jobs wait. By default 1 GiB or 5 % of the disk, whichever is less.',
  }),
  EMBEDMILL_SPOOL_DIR: z.string().optional().meta({
    description:
      'The folder of uploads and reports, shared by the API and the workers; spool in the data folder by default.',
  }),
  EMBEDMILL_SPOOL_URL: z
    .string()
    .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]+[a-z0-9](\/.*)?$/, 'must be s3://bucket or s3://bucket/prefix')
    .optional()
    .meta({ description: 'A bucket for the spool in place of a folder: s3://bucket/prefix.' }),
  EMBEDMILL_S3_PATH_STYLE: z
    .stringbool()
    .default(false)
    .meta({ description: 'Whether to name the bucket in the path, as MinIO and others require.' }),
  EMBEDMILL_MODELS_DIR: z.string().optional().meta({ description: 'A folder of additional models.' }),
  EMBEDMILL_MODEL_CACHE_DIR: z
    .string()
    .optional()
    .meta({ description: 'The folder of downloaded models; models in the data folder by default.' }),
  EMBEDMILL_HUB_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: 'The hub from which models are downloaded.' }),
  EMBEDMILL_FETCH_ALLOW: z.string().optional().meta({
    description:
      'Hosts, addresses and CIDR ranges, separated by commas, from which sources and images may be fetched although they are not public.',
  }),
  EMBEDMILL_OTLP_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: 'The OTLP/HTTP collector that receives traces; none by default.' }),
  EMBEDMILL_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .meta({ description: 'The lowest level that is logged.' }),
};

type SharedSettings = z.output<z.ZodObject<typeof sharedSettings>>;

/** The server of the queue, and how to reach it. */
export type QueueAddress =
  | { redisUrl: string; redisTlsCa: string | undefined; redisSentinelPassword: string | undefined }
  | { postgresUrl: string };

export interface SharedConfig {
  queue: QueueAddress;
  qdrantUrl: string | undefined;
  qdrantApiKey: string | undefined;
  qdrant: QdrantConfig;
  /** Undefined if another store holds the vectors. */
  milvus: MilvusConfig | undefined;
  dataFolder: string;
  storeSocket: string;
  /** Bytes to keep free; undefined: the default. */
  diskReserve: number | undefined;
  /** The place of the spool: a folder, or s3://bucket/prefix. */
  spool: string;
  s3: { pathStyle: boolean };
  modelsFolder: string | undefined;
  modelCacheFolder: string;
  hubUrl: string | undefined;
  /** Hosts that may be fetched from in addition to the public internet. */
  fetchAllow: string[];
  otlpUrl: string | undefined;
  logLevel: SharedSettings['EMBEDMILL_LOG_LEVEL'];
}

/** The shared settings by their names in code, with the paths derived from the data folder. */
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
  const message = 'conflicts with MILVUS_URL: there can be only one vector store; unset one of them';
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

/** The entries of a setting that is a list. */
export function listed(setting = ''): string[] {
  return setting.split(',').flatMap((one) => one.trim() || []);
}

/** The prefix of each app's own settings; an app ignores the others'. */
const APP_PREFIXES = ['EMBEDMILL_API_', 'EMBEDMILL_WORKER_'] as const;
/** Settings of the command line and of the tests, which child processes inherit. */
const OF_NO_APP = ['EMBEDMILL_URL', 'EMBEDMILL_KEY', 'EMBEDMILL_SHARED', 'EMBEDMILL_SEED'];

/**
 * Reads an app's settings from its environment by one schema whose keys are the variables' names. An empty
 * variable counts as not set. Throws `invalid_config` that names each variable that is wrong or unknown, so that
 * a misspelt one does not go unnoticed.
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
      ? issue.keys.map((path) => ({ path, message: 'no such setting; is it misspelt?' }))
      : [{ path: issue.path.join('.'), message: issue.message }],
  );
  const message = details.map((detail) => `${detail.path}: ${detail.message}`).join('; ');
  throw new EmbedmillError('invalid_config', message, { details });
}

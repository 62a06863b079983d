import { resolve } from 'node:path';
import { z } from 'zod';
import {
  milvusConfig,
  milvusSettings,
  queueAddress,
  sharedSettings,
  type MilvusConfig,
  type QueueAddress,
} from '@embedmill/jobs';
import { usageError } from './exit.ts';

const port = z.coerce.number().int().min(0).max(65_535);

const environmentSchema = z.object({
  EMBEDMILL_KEY: z.string().optional(),
  EMBEDMILL_WEBHOOK_SECRET: z.string().optional(),
  EMBEDMILL_URL: z.url({ protocol: /^https?$/ }).optional(),
  EMBEDMILL_DATA_DIR: z.string().default('.embedmill'),
  EMBEDMILL_STORE_SOCKET: z.string().optional(),
  EMBEDMILL_API_HOST: z.string().default('127.0.0.1'),
  EMBEDMILL_API_PORT: port.default(7070),
  EMBEDMILL_API_SOURCE_DIR: z.string().optional(),
  EMBEDMILL_WORKER_PORT: port.optional(),
  REDIS_URL: z.string().optional(),
  REDIS_TLS_CA: sharedSettings.REDIS_TLS_CA,
  REDIS_SENTINEL_PASSWORD: sharedSettings.REDIS_SENTINEL_PASSWORD,
  QUEUE_URL: sharedSettings.QUEUE_URL,
  QDRANT_URL: sharedSettings.QDRANT_URL,
  ...milvusSettings,
});

/** The environment variables of the command line. An empty variable counts as not set. */
export interface Config {
  url: string | undefined;
  /** The key that requests carry. */
  key: string | undefined;
  /** The secret that signs the messages of a submission's webhook. */
  webhookSecret: string | undefined;
  dataDir: string;
  storeSocket: string | undefined;
  apiHost: string;
  apiPort: number;
  sourceDir: string | undefined;
  workerPort: number | undefined;
  /** The address of the queue; undefined for embedmill's own Redis. */
  queue: QueueAddress | undefined;
  qdrantUrl: string | undefined;
  milvus: MilvusConfig | undefined;
}

export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(set);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw usageError(`the environment variable ${String(issue?.path[0])} is not valid: ${issue?.message}`);
  }
  const env = parsed.data;
  if (env.QDRANT_URL !== undefined && env.MILVUS_URL !== undefined)
    throw usageError(
      'QDRANT_URL and MILVUS_URL are both set, but there can be only one vector store; unset one of them',
    );
  return {
    url: env.EMBEDMILL_URL,
    key: env.EMBEDMILL_KEY,
    webhookSecret: env.EMBEDMILL_WEBHOOK_SECRET,
    dataDir: resolve(env.EMBEDMILL_DATA_DIR),
    storeSocket: env.EMBEDMILL_STORE_SOCKET,
    apiHost: env.EMBEDMILL_API_HOST,
    apiPort: env.EMBEDMILL_API_PORT,
    sourceDir: env.EMBEDMILL_API_SOURCE_DIR === undefined ? undefined : resolve(env.EMBEDMILL_API_SOURCE_DIR),
    workerPort: env.EMBEDMILL_WORKER_PORT,
    queue:
      env.REDIS_URL === undefined && env.QUEUE_URL === undefined
        ? undefined
        : queueAddress({ ...env, REDIS_URL: env.REDIS_URL ?? '' }),
    qdrantUrl: env.QDRANT_URL,
    milvus: milvusConfig(env),
  };
}

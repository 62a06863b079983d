import { z } from 'zod';
import { readSettings, sharedConfig, sharedSettings, type SharedConfig } from '@embedmill/jobs';

const GIB = 1024 ** 3;
const integer = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** Every environment variable that the API reads. */
export const settingsSchema = z.strictObject({
  ...sharedSettings,
  EMBEDMILL_API_HOST: z.string().default('127.0.0.1').meta({ description: 'The address to listen on.' }),
  EMBEDMILL_API_PORT: integer(0, 65_535)
    .default(7070)
    .meta({ description: 'The port to listen on; 0 takes any free one.' }),
  EMBEDMILL_API_SOURCE_DIR: z
    .string()
    .optional()
    .meta({ description: 'The folder that {"source":{"path"}} may read below; none by default.' }),
  EMBEDMILL_API_MAX_UPLOAD_BYTES: integer(1, Number.MAX_SAFE_INTEGER)
    .default(64 * GIB)
    .meta({ description: 'The largest upload, and the largest file fetched from a URL, in bytes.' }),
  EMBEDMILL_API_QUERY_SECONDS: integer(1, 110)
    .default(30)
    .meta({ description: 'How long a search waits for a worker to embed its query.' }),
  EMBEDMILL_API_SHUTDOWN_SECONDS: integer(1, 600).default(10).meta({
    description: 'How long stopping may take: requests in flight are finished as far as it allows.',
  }),
  EMBEDMILL_API_JOBS: integer(1, 1000)
    .default(8)
    .meta({ description: 'Jobs that are dispatched at the same time; others wait.' }),
  EMBEDMILL_API_OUTSTANDING_SHARDS: integer(1, 10_000)
    .default(32)
    .meta({ description: 'Shards of one job on the queue at the same time.' }),
  EMBEDMILL_API_LOCK_SECONDS: integer(1, 600)
    .default(15)
    .meta({ description: 'After this long without a sign of life, a dispatcher’s jobs go to another.' }),
});

export interface ApiConfig extends SharedConfig {
  host: string;
  port: number;
  sourceFolder: string | undefined;
  maxUploadBytes: number;
  queryTimeoutMs: number;
  shutdownMs: number;
  dispatcher: { jobs: number; outstandingShards: number; lockMs: number };
}

/** The API's configuration from its environment. Errors: `invalid_config`. */
export function readConfig(environment: Record<string, string | undefined>): ApiConfig {
  const read = readSettings(settingsSchema, 'EMBEDMILL_API_', environment);
  return {
    ...sharedConfig(read),
    host: read.EMBEDMILL_API_HOST,
    port: read.EMBEDMILL_API_PORT,
    sourceFolder: read.EMBEDMILL_API_SOURCE_DIR,
    maxUploadBytes: read.EMBEDMILL_API_MAX_UPLOAD_BYTES,
    queryTimeoutMs: read.EMBEDMILL_API_QUERY_SECONDS * 1000,
    shutdownMs: read.EMBEDMILL_API_SHUTDOWN_SECONDS * 1000,
    dispatcher: {
      jobs: read.EMBEDMILL_API_JOBS,
      outstandingShards: read.EMBEDMILL_API_OUTSTANDING_SHARDS,
      lockMs: read.EMBEDMILL_API_LOCK_SECONDS * 1000,
    },
  };
}

import { z } from 'zod';
import type { EngineSettings } from '@embedmill/embed/pipeline';
import { parseDevices } from '@embedmill/inference';
import {
  EmbedmillError,
  readSettings,
  sharedConfig,
  sharedSettings,
  type SharedConfig,
} from '@embedmill/jobs';

const integer = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** Every environment variable that the worker reads. */
export const settingsSchema = z.strictObject({
  ...sharedSettings,
  EMBEDMILL_WORKER_HOST: z
    .string()
    .default('127.0.0.1')
    .meta({ description: 'The address that serves /metrics, /startupz, /healthz and /readyz.' }),
  EMBEDMILL_WORKER_PORT: integer(0, 65_535)
    .default(7071)
    .meta({ description: 'The port that serves them; 0 takes any free one.' }),
  EMBEDMILL_WORKER_MODELS: z.string().optional().meta({
    description: 'The models to serve, separated by commas; by default the models that collections use.',
  }),
  EMBEDMILL_WORKER_DEVICE: z.string().default('cpu').meta({
    description:
      'The device of the engines: cpu, webgpu, one or more GPUs such as cuda or cuda:0,cuda:1 (one engine each), or remote.',
  }),
  EMBEDMILL_WORKER_REMOTE_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description: 'The server that embeds when the device is remote; it speaks TEI’s or OpenAI’s API.',
    }),
  EMBEDMILL_WORKER_REMOTE_API: z
    .enum(['auto', 'tei', 'openai'])
    .default('auto')
    .meta({ description: 'The API of the remote server; detected by default.' }),
  EMBEDMILL_WORKER_REMOTE_MODEL: z
    .string()
    .optional()
    .meta({ description: 'The model’s name on the remote server; the same name by default.' }),
  EMBEDMILL_WORKER_REMOTE_KEY: z
    .string()
    .optional()
    .meta({ description: 'The API key for the remote server.' }),
  EMBEDMILL_WORKER_TENSORRT: z
    .stringbool()
    .default(false)
    .meta({ description: 'Whether TensorRT compiles the graph for the GPUs, once, at the first start.' }),
  EMBEDMILL_WORKER_CPUS: integer(1, 1024)
    .optional()
    .meta({ description: 'The CPUs that engines may use; by default all that this process may use.' }),
  EMBEDMILL_WORKER_BATCH_AREA: integer(16, 1_000_000)
    .optional()
    .meta({ description: 'The largest batch: the number of items times the tokens of the longest.' }),
  EMBEDMILL_WORKER_SHARDS: integer(0, 256).default(4).meta({
    description:
      'Shards of a model that the worker processes at the same time; their chunks share batches. With 0 it only answers queries, to stay warm for searches.',
  }),
  EMBEDMILL_WORKER_LOCK_SECONDS: integer(1, 600)
    .default(15)
    .meta({ description: 'After this long without a heartbeat, a worker’s shards move to another.' }),
  EMBEDMILL_WORKER_BATCH_SECONDS: integer(1, 3600).default(60).meta({
    description: 'A batch that takes longer than this counts as hung, and its engine is restarted.',
  }),
  EMBEDMILL_WORKER_DRAIN_SECONDS: integer(0, 3600)
    .default(30)
    .meta({ description: 'How long shards in progress may take to finish when the worker stops.' }),
  EMBEDMILL_WORKER_WATCHDOG_SECONDS: integer(5, 86_400).default(300).meta({
    description:
      'A worker that has work but makes no progress for this long exits, to be restarted. Must be longer than a batch may take.',
  }),
});

/** A server that embeds in place of local engines. */
export interface RemoteConfig {
  url: string;
  api: 'auto' | 'tei' | 'openai';
  /** The model's name there, if different. */
  model: string | undefined;
  apiKey: string | undefined;
}

export interface WorkerConfig extends SharedConfig {
  host: string;
  port: number;
  /** Undefined: the models that collections use. */
  models: string[] | undefined;
  /** The devices of local engines; ignored if `remote` is set. */
  devices: EngineSettings['devices'];
  remote: RemoteConfig | undefined;
  tensorrt: boolean;
  cpus: number | undefined;
  batchArea: number | undefined;
  shards: number;
  lockMs: number;
  batchDeadlineMs: number;
  drainMs: number;
  watchdogMs: number;
}

/** The worker's configuration; throws `invalid_config`. */
export function readConfig(environment: Record<string, string | undefined>): WorkerConfig {
  const read = readSettings(settingsSchema, 'EMBEDMILL_WORKER_', environment);
  const remote = remoteOf(read);
  return {
    ...sharedConfig(read),
    host: read.EMBEDMILL_WORKER_HOST,
    port: read.EMBEDMILL_WORKER_PORT,
    models: read.EMBEDMILL_WORKER_MODELS?.split(',').map((name) => name.trim()),
    devices: remote === undefined ? parseDevices(read.EMBEDMILL_WORKER_DEVICE) : [{ kind: 'cpu' }],
    remote,
    tensorrt: read.EMBEDMILL_WORKER_TENSORRT,
    cpus: read.EMBEDMILL_WORKER_CPUS,
    batchArea: read.EMBEDMILL_WORKER_BATCH_AREA,
    shards: read.EMBEDMILL_WORKER_SHARDS,
    lockMs: read.EMBEDMILL_WORKER_LOCK_SECONDS * 1000,
    batchDeadlineMs: read.EMBEDMILL_WORKER_BATCH_SECONDS * 1000,
    drainMs: read.EMBEDMILL_WORKER_DRAIN_SECONDS * 1000,
    watchdogMs: watchdogMs(read),
  };
}

function watchdogMs(read: z.output<typeof settingsSchema>): number {
  const { EMBEDMILL_WORKER_WATCHDOG_SECONDS: seconds, EMBEDMILL_WORKER_BATCH_SECONDS: batch } = read;
  if (seconds > batch) return seconds * 1000;
  const message = `EMBEDMILL_WORKER_WATCHDOG_SECONDS: ${seconds} must be more than the ${batch} seconds that a batch may take (EMBEDMILL_WORKER_BATCH_SECONDS)`;
  throw new EmbedmillError('invalid_config', message);
}

function remoteOf(read: z.output<typeof settingsSchema>): RemoteConfig | undefined {
  if (read.EMBEDMILL_WORKER_DEVICE !== 'remote') return undefined;
  const url = read.EMBEDMILL_WORKER_REMOTE_URL;
  if (url === undefined) {
    throw new EmbedmillError(
      'invalid_config',
      'EMBEDMILL_WORKER_REMOTE_URL: the device "remote" needs the address of a server that embeds',
    );
  }
  return {
    url,
    api: read.EMBEDMILL_WORKER_REMOTE_API,
    model: read.EMBEDMILL_WORKER_REMOTE_MODEL,
    apiKey: read.EMBEDMILL_WORKER_REMOTE_KEY,
  };
}

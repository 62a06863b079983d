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
    .meta({ description: 'The address that /metrics, /startupz, /healthz and /readyz are served on.' }),
  EMBEDMILL_WORKER_PORT: integer(0, 65_535)
    .default(7071)
    .meta({ description: 'Their port; 0 takes any free one.' }),
  EMBEDMILL_WORKER_MODELS: z.string().optional().meta({
    description: 'The models to serve, separated by commas; by default those that collections use.',
  }),
  EMBEDMILL_WORKER_DEVICE: z.string().default('cpu').meta({
    description:
      'What engines run on: cpu, webgpu, GPUs as in cuda or cuda:0,cuda:1 (an engine each), or remote.',
  }),
  EMBEDMILL_WORKER_REMOTE_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description: 'With the device remote: a server that embeds, by TEI’s API or by OpenAI’s.',
    }),
  EMBEDMILL_WORKER_REMOTE_API: z
    .enum(['auto', 'tei', 'openai'])
    .default('auto')
    .meta({ description: 'Which of the two it speaks; found out by default.' }),
  EMBEDMILL_WORKER_REMOTE_MODEL: z
    .string()
    .optional()
    .meta({ description: 'What the model is called there; as here by default.' }),
  EMBEDMILL_WORKER_REMOTE_KEY: z.string().optional().meta({ description: 'Its API key.' }),
  EMBEDMILL_WORKER_TENSORRT: z
    .stringbool()
    .default(false)
    .meta({ description: 'Whether TensorRT compiles the graph for the GPUs, once, at the first start.' }),
  EMBEDMILL_WORKER_CPUS: integer(1, 1024)
    .optional()
    .meta({ description: 'CPUs to keep busy with engines; by default all that this process may use.' }),
  EMBEDMILL_WORKER_BATCH_AREA: integer(16, 1_000_000)
    .optional()
    .meta({ description: 'The largest batch: items times tokens of the longest.' }),
  EMBEDMILL_WORKER_SHARDS: integer(0, 256).default(4).meta({
    description:
      'Shards of a model in hand at the same time; their chunks share batches. With 0 it answers queries alone, as a worker does that stays warm for searches.',
  }),
  EMBEDMILL_WORKER_LOCK_SECONDS: integer(1, 600)
    .default(15)
    .meta({ description: 'After this long without a sign of life, a worker’s shards go to another.' }),
  EMBEDMILL_WORKER_BATCH_SECONDS: integer(1, 3600)
    .default(60)
    .meta({ description: 'A batch that takes longer than this has hung; the engine is started again.' }),
  EMBEDMILL_WORKER_DRAIN_SECONDS: integer(0, 3600)
    .default(30)
    .meta({ description: 'How long shards in hand may take to finish when the worker stops.' }),
  EMBEDMILL_WORKER_WATCHDOG_SECONDS: integer(5, 86_400).default(300).meta({
    description:
      'A worker that has work and makes no progress for this long ends, to be started again; more than a batch may take.',
  }),
});

/** A server that embeds, in place of engines here. */
export interface RemoteConfig {
  url: string;
  api: 'auto' | 'tei' | 'openai';
  /** What the model is called there, where it has another name. */
  model: string | undefined;
  apiKey: string | undefined;
}

export interface WorkerConfig extends SharedConfig {
  host: string;
  port: number;
  /** Undefined: those that collections use. */
  models: string[] | undefined;
  /** What engines of this machine run on; not looked at where there is a `remote`. */
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
  const message = `EMBEDMILL_WORKER_WATCHDOG_SECONDS: ${seconds} is not more than the ${batch} that a batch may take (EMBEDMILL_WORKER_BATCH_SECONDS)`;
  throw new EmbedmillError('invalid_config', message);
}

function remoteOf(read: z.output<typeof settingsSchema>): RemoteConfig | undefined {
  if (read.EMBEDMILL_WORKER_DEVICE !== 'remote') return undefined;
  const url = read.EMBEDMILL_WORKER_REMOTE_URL;
  if (url === undefined) {
    throw new EmbedmillError(
      'invalid_config',
      'EMBEDMILL_WORKER_REMOTE_URL: the device remote needs the address of a server that embeds',
    );
  }
  return {
    url,
    api: read.EMBEDMILL_WORKER_REMOTE_API,
    model: read.EMBEDMILL_WORKER_REMOTE_MODEL,
    apiKey: read.EMBEDMILL_WORKER_REMOTE_KEY,
  };
}

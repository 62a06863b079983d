import { z } from 'zod';

const bytes = z.int().nonnegative();

/** The state of a model on a worker. */
export const workerModelSchema = z
  .strictObject({
    model: z.string(),
    state: z.enum(['loading', 'downloading', 'serving', 'failed']),
    devices: z.array(z.string()).meta({
      description: 'The device of each engine: `cpu`, `cuda:0`, `webgpu`, or `remote` for another server.',
    }),
    tokensPerSecond: z
      .number()
      .nonnegative()
      .meta({ description: 'Tokens per second since the worker’s previous report.' }),
    calibration: z
      .strictObject({ tokensPerSecond: z.number(), measuredAt: z.iso.datetime() })
      .nullable()
      .meta({
        description: 'What `embedmill bench --calibrate` measured on such a machine; null if nothing.',
      }),
    download: z
      .strictObject({ file: z.string(), receivedBytes: bytes, totalBytes: bytes.nullable() })
      .nullable()
      .meta({ description: 'The progress of the current download.' }),
    error: z
      .strictObject({ code: z.string(), message: z.string() })
      .nullable()
      .meta({ description: 'Why it could not be loaded; the worker retries.' }),
  })
  .meta({ id: 'WorkerModel' });
export type WorkerModel = z.infer<typeof workerModelSchema>;

/** What a worker reports about itself every few seconds. */
export const workerNoteSchema = z
  .strictObject({
    id: z.string(),
    host: z.string(),
    pid: z.int(),
    startedAt: z.iso.datetime(),
    at: z.iso.datetime().meta({ description: 'When the worker reported this.' }),
    models: z.array(workerModelSchema),
    shards: z.int().nonnegative().meta({ description: 'Shards that it is processing.' }),
    mostShards: z.int().nonnegative().meta({
      description:
        'The most shards of a model that it processes at the same time; with 0, it only answers queries.',
    }),
    jobs: z.array(z.string()).meta({ description: 'The ids of some jobs that these shards belong to.' }),
    memoryBytes: bytes.meta({ description: 'Resident memory of its process, without the engines.' }),
    engineRestarts: z.int().nonnegative().meta({ description: 'Engine restarts since the worker started.' }),
  })
  .meta({ id: 'Worker' });
export type WorkerNote = z.infer<typeof workerNoteSchema>;

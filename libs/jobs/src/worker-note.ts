import { z } from 'zod';

const bytes = z.int().nonnegative();

/** How a worker stands with a model. */
export const workerModelSchema = z
  .strictObject({
    model: z.string(),
    state: z.enum(['loading', 'downloading', 'serving', 'failed']),
    devices: z.array(z.string()).meta({
      description:
        'What its engines run on, one each: `cpu`, `cuda:0`, `webgpu`, or `remote` for a server elsewhere.',
    }),
    tokensPerSecond: z
      .number()
      .nonnegative()
      .meta({ description: 'Tokens that ran through it since the worker last told, a second.' }),
    calibration: z
      .strictObject({ tokensPerSecond: z.number(), measuredAt: z.iso.datetime() })
      .nullable()
      .meta({ description: 'What `embedmill bench --calibrate` measured on such a machine; null: nothing.' }),
    download: z
      .strictObject({ file: z.string(), receivedBytes: bytes, totalBytes: bytes.nullable() })
      .nullable()
      .meta({ description: 'How far the file that is being downloaded is.' }),
    error: z
      .strictObject({ code: z.string(), message: z.string() })
      .nullable()
      .meta({ description: 'Why it could not be loaded; it is tried again.' }),
  })
  .meta({ id: 'WorkerModel' });
export type WorkerModel = z.infer<typeof workerModelSchema>;

/** What a worker says of itself every few seconds. */
export const workerNoteSchema = z
  .strictObject({
    id: z.string(),
    host: z.string(),
    pid: z.int(),
    startedAt: z.iso.datetime(),
    at: z.iso.datetime().meta({ description: 'When it said so.' }),
    models: z.array(workerModelSchema),
    shards: z.int().nonnegative().meta({ description: 'Shards that it has in hand.' }),
    mostShards: z.int().nonnegative().meta({
      description: 'Shards of a model that it takes at the same time; 0: it answers queries alone.',
    }),
    jobs: z.array(z.string()).meta({ description: 'Whose they are: the ids of some jobs.' }),
    memoryBytes: bytes.meta({ description: 'Resident memory of its process, engines not counted.' }),
    engineRestarts: z
      .int()
      .nonnegative()
      .meta({ description: 'Engines that were started again since it started.' }),
  })
  .meta({ id: 'Worker' });
export type WorkerNote = z.infer<typeof workerNoteSchema>;

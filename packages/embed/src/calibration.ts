import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { cpus as cpusOfMachine } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { RUNTIME_VERSION } from '@embedmill/inference';
import { readKept } from '@embedmill/jobs';
import type { ResolvedModel } from '@embedmill/models';

/** What a measurement holds for: another machine, or another version of ONNX Runtime, needs one of its own. */
const machineSchema = z.strictObject({
  cpu: z.string(),
  cpus: z.int().positive(),
  device: z.string(),
  runtime: z.string(),
});
export type Machine = z.infer<typeof machineSchema>;

const fileSchema = z.strictObject({
  path: z.string(),
  sha256: z.string().optional(),
  bytes: z.int().optional(),
});

export const calibrationSchema = z.strictObject({
  format: z.literal(1),
  model: z.string(),
  /** Of the model in its own file. */
  revision: z.string(),
  machine: machineSchema,
  /** Another of the model's files, where one is faster, and the least cosine of its vectors to the own file's. */
  file: fileSchema.extend({ data: z.array(fileSchema), minCosine: z.number() }).nullable(),
  graph: z.strictObject({
    level: z.enum(['disabled', 'basic', 'extended', 'all']),
    without: z.array(z.string()),
  }),
  /** Of CPUs: how many engines, with how many threads each. */
  layout: z.strictObject({ processes: z.int().positive(), threads: z.int().positive() }).nullable(),
  /** Padded tokens of a batch at most. */
  area: z.int().positive(),
  /** What starting a run costs, in padded tokens. */
  launchCost: z.number().nonnegative(),
  tokensPerSecond: z.number().positive(),
  measuredAt: z.iso.datetime(),
});

/** What was found to be fastest for a model on a machine, by `embedmill bench --calibrate`. */
export type Calibration = z.infer<typeof calibrationSchema>;

type CalibratedModel = Pick<ResolvedModel, 'name' | 'revision'>;

export function machineFor(device: string, cpus: number): Machine {
  return { cpu: cpusOfMachine()[0]?.model ?? 'unknown', cpus, device, runtime: RUNTIME_VERSION };
}

/** Beside the models that were downloaded: their folder may be shared, so each kind of machine has its own file. */
export function calibrationPath(modelCacheFolder: string, model: CalibratedModel, machine: Machine): string {
  const key = JSON.stringify([model.revision, machine.cpu, machine.cpus, machine.device, machine.runtime]);
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 12);
  return join(modelCacheFolder, 'calibration', `${model.name}-${digest}.json`);
}

/** The calibration of this model on this machine; undefined where there is none, or none that can be read. */
export async function readCalibration(
  modelCacheFolder: string,
  model: CalibratedModel,
  machine: Machine,
): Promise<Calibration | undefined> {
  const path = calibrationPath(modelCacheFolder, model, machine);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return readKept(calibrationSchema, JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export async function saveCalibration(modelCacheFolder: string, calibration: Calibration): Promise<string> {
  const { model: name, revision, machine } = calibration;
  const path = calibrationPath(modelCacheFolder, { name, revision }, machine);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.${process.pid}`, `${JSON.stringify(calibration, null, 2)}\n`);
  await rename(`${path}.${process.pid}`, path);
  return path;
}

/** Vectors nearer than this are taken for the same: what is stored of one file need not be embedded again by another. */
const SAME_COSINE = 0.9999;

/** A model's revision, which its vectors depend on, when it is run from the calibration's file. */
export function calibratedRevision(revision: string, { file }: Calibration): string {
  return file === null || file.minCosine >= SAME_COSINE ? revision : `${revision}#${file.path}`;
}

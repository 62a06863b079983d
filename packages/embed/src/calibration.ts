import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { cpus as cpusOfMachine } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { RUNTIME_VERSION } from '@embedmill/inference';
import { readKept } from '@embedmill/jobs';
import type { ResolvedModel } from '@embedmill/models';

/** What a measurement is valid for: another machine, or another version of ONNX Runtime, needs its own. */
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
  /** The digest of the model's own file. */
  revision: z.string(),
  machine: machineSchema,
  /** An alternative file of the model, if faster, with the lowest cosine of its vectors to those of the own file. */
  file: fileSchema.extend({ data: z.array(fileSchema), minCosine: z.number() }).nullable(),
  graph: z.strictObject({
    level: z.enum(['disabled', 'basic', 'extended', 'all']),
    without: z.array(z.string()),
  }),
  /** For CPUs: the number of engines, and of threads each. */
  layout: z.strictObject({ processes: z.int().positive(), threads: z.int().positive() }).nullable(),
  /** The maximum padded tokens of a batch. */
  area: z.int().positive(),
  /** The fixed cost of a run, in padded tokens. */
  launchCost: z.number().nonnegative(),
  tokensPerSecond: z.number().positive(),
  measuredAt: z.iso.datetime(),
});

/** The fastest configuration of a model on a machine, as measured by `embedmill bench --calibrate`. */
export type Calibration = z.infer<typeof calibrationSchema>;

type CalibratedModel = Pick<ResolvedModel, 'name' | 'revision'>;

export function machineFor(device: string, cpus: number): Machine {
  return { cpu: cpusOfMachine()[0]?.model ?? 'unknown', cpus, device, runtime: RUNTIME_VERSION };
}

/** Next to the downloaded models; their folder may be shared, so each kind of machine has its own file. */
export function calibrationPath(modelCacheFolder: string, model: CalibratedModel, machine: Machine): string {
  const key = JSON.stringify([model.revision, machine.cpu, machine.cpus, machine.device, machine.runtime]);
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 12);
  return join(modelCacheFolder, 'calibration', `${model.name}-${digest}.json`);
}

/** The calibration of this model on this machine; undefined if there is none, or if it is unreadable. */
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

/** Vectors nearer than this count as equal, so documents embedded by one file need not be embedded again by another. */
const SAME_COSINE = 0.9999;

/** A model's revision, which its vectors depend on, when it is run from the calibration's file. */
export function calibratedRevision(revision: string, { file }: Calibration): string {
  return file === null || file.minCosine >= SAME_COSINE ? revision : `${revision}#${file.path}`;
}

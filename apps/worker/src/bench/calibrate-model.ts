import {
  machineFor,
  planEngines,
  saveCalibration,
  type Calibration,
  type EngineSettings,
} from '@embedmill/embed/pipeline';
import { availableCpus } from '@embedmill/inference';
import { asEmbedmillError, type Document } from '@embedmill/jobs';
import {
  offeredFiles,
  resolveModel,
  type OfferedFile,
  type ResolvedModel,
  type ResolveOptions,
} from '@embedmill/models';
import type { WorkerConfig } from '../config.ts';
import { calibrate } from './calibrate.ts';
import type { Effort } from './measuring.ts';
import { tokenized } from './yardsticks.ts';

export interface CalibrationWish {
  /** Texts of all lengths. */
  documents: readonly Document[];
  /** The model's alternative ONNX files to try besides its own; null: those that are not larger. */
  files: string[] | null;
  /** The minimum similarity of another file's vectors to those of the model's own file. */
  minCosine: number;
  effort?: Effort;
  note: (text: string) => void;
}

/** Calibrates a model on this machine, and stores the result where its workers look for it. */
export async function calibrateModel(
  config: WorkerConfig,
  name: string,
  { documents, files, minCosine, effort, note }: CalibrationWish,
): Promise<{ calibration: Calibration; path: string }> {
  const options = resolveOptions(config);
  const { own, settings } = await ownModel(config, name);
  const { machine, modelCacheFolder } = settings;
  const resolved: { file: OfferedFile; model: ResolvedModel }[] = [];
  for (const [n, file] of (await offersWithin(own, files, options, note)).entries()) {
    if (n > 0) note(`downloading ${file.path} (${Math.round(file.bytes / 1e6)} MB) unless it is present`);
    resolved.push({ file, model: n === 0 ? own : await resolveModel(name, { ...options, file }) });
  }
  const plan = planEngines(own, settings, undefined);
  const { sequences } = await tokenized(own, [...documents]);
  const calibration = await calibrate({
    files: resolved,
    devices: plan.devices,
    machine,
    sequences,
    minCosine,
    ...(effort !== undefined && { effort }),
    note,
  });
  return { calibration, path: await saveCalibration(modelCacheFolder, calibration) };
}

/** The model's own file, and the devices for its engines. */
export async function ownModel(
  config: WorkerConfig,
  name: string,
): Promise<{ own: ResolvedModel; settings: EngineSettings }> {
  const { devices, cpus, modelCacheFolder, tensorrt, batchArea: area } = config;
  const machine = machineFor(devices[0].kind, cpus ?? availableCpus());
  const own = await resolveModel(name, resolveOptions(config));
  return { own, settings: { devices, machine, modelCacheFolder, tensorrt, area } };
}

export function resolveOptions({ modelsFolder, modelCacheFolder, hubUrl }: WorkerConfig): ResolveOptions {
  return { modelsDir: modelsFolder, cacheDir: modelCacheFolder, hubUrl };
}

/** The model's own file, and the requested others, or by default those that are not larger. */
async function offersWithin(
  own: ResolvedModel,
  paths: string[] | null,
  options: ResolveOptions,
  note: (text: string) => void,
): Promise<OfferedFile[]> {
  try {
    const offered = await offeredFiles(own.name, options);
    return offered.filter(
      ({ path, bytes }, n) => n === 0 || (paths?.includes(path) ?? bytes <= own.modelBytes * 1.05),
    );
  } catch (thrown) {
    note(`${asEmbedmillError(thrown).message}; trying only its own file`);
    return [{ ...own.model, bytes: own.modelBytes, data: own.data }];
  }
}

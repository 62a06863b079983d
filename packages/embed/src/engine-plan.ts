import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  availableMemory,
  defaultGraph,
  defaultLayout,
  GRAPH_VERSION,
  RUNTIME_VERSION,
  type Device,
  type DeviceName,
  type EngineLayout,
  type GraphTuning,
} from '@embedmill/inference';
import { resolveModel, type ResolvedModel, type ResolveOptions } from '@embedmill/models';
import { calibratedRevision, readCalibration, type Calibration, type Machine } from './calibration.ts';

/** The engines of one model on this machine, and the batches that suit them. */
export interface EnginePlan {
  /** The devices, with one engine each. */
  devices: [Device, ...Device[]];
  graph: GraphTuning;
  /** Where the optimized graph is cached. */
  graphCache: string | undefined;
  /** The maximum padded tokens of a batch. */
  area: number;
  launchCost: number;
}

export interface EngineSettings {
  devices: [DeviceName, ...DeviceName[]];
  machine: Machine;
  modelCacheFolder: string;
  tensorrt: boolean;
  /** The maximum padded tokens of a batch, if set by the user. */
  area?: number | undefined;
}

/** The padded tokens of a batch, and its launch cost, without a measurement. */
const CPU_BATCH = { area: 384, launchCost: 8 };
const GPU_BATCH = { area: 16_384, launchCost: 256 };

/** A larger graph is not written to the disk again. */
const MOST_CACHED_BYTES = 2 ** 30;

/** The best engines for a model here, with the file for them to run, which is downloaded if necessary. */
export async function calibratedPlan(
  own: ResolvedModel,
  options: ResolveOptions,
  settings: EngineSettings,
): Promise<{ model: ResolvedModel; plan: EnginePlan; calibration: Calibration | undefined }> {
  const calibration = await readCalibration(settings.modelCacheFolder, own, settings.machine);
  const file = calibration?.file ?? undefined;
  const model =
    calibration === undefined || file === undefined
      ? own
      : {
          ...(await resolveModel(own.name, { ...options, file })),
          revision: calibratedRevision(own.revision, calibration),
        };
  return { model, plan: planEngines(model, settings, calibration), calibration };
}

/** How to run a model's engines: as measured on this machine, else by default. */
export function planEngines(
  model: ResolvedModel,
  { devices: names, machine, modelCacheFolder, tensorrt, area }: EngineSettings,
  calibration: Calibration | undefined,
): EnginePlan {
  const [first, ...others] = names;
  const layout = calibration?.layout ?? defaultLayout(machine.cpus, model.modelBytes, availableMemory());
  const cacheFolder = join(modelCacheFolder, 'tensorrt', model.sha256.slice(0, 12));
  const deviceOf = (name: Exclude<DeviceName, { kind: 'cpu' }>): Device =>
    name.kind === 'cuda' && tensorrt ? { ...name, tensorrt: { cacheFolder } } : name;
  const devices: [Device, ...Device[]] =
    first.kind === 'cpu'
      ? cpuDevices(layout)
      : [deviceOf(first), ...others.flatMap((name) => (name.kind === 'cpu' ? [] : [deviceOf(name)]))];
  // A sparse model needs memory of the vocabulary's size for each token, on every device.
  const ofEntry = first.kind === 'cpu' || model.kind === 'sparse' ? model.batchArea : undefined;
  const device = first.kind === 'cpu' ? CPU_BATCH : GPU_BATCH;
  const usual = { ...device, area: ofEntry ?? device.area };
  const graph = calibration?.graph ?? defaultGraph(first);
  return {
    devices,
    graph,
    graphCache: first.kind === 'cpu' ? graphCache(model, graph, machine, modelCacheFolder) : undefined,
    area: area ?? calibration?.area ?? usual.area,
    launchCost: calibration?.launchCost ?? usual.launchCost,
  };
}

function cpuDevices({ processes, threads }: EngineLayout): [Device, ...Device[]] {
  const device: Device = { kind: 'cpu', threads };
  return [device, ...Array.from({ length: processes - 1 }, () => device)];
}

/** An optimized graph is valid only for the CPU and the version of ONNX Runtime it was optimized with. */
function graphCache(
  model: ResolvedModel,
  graph: GraphTuning,
  { cpu }: Machine,
  modelCacheFolder: string,
): string | undefined {
  const { name, sha256, data, modelBytes, kind } = model;
  if (data.length > 0 || modelBytes > MOST_CACHED_BYTES) return undefined;
  const pooling = kind === 'dense' ? model.pooling : kind;
  const facts: unknown[] = [sha256, graph, pooling, cpu, RUNTIME_VERSION, GRAPH_VERSION];
  // Identifies further additions to some graphs; those without keep their names.
  if (kind === 'dense' && (model.padding === 'left' || model.layerPaths.size > 0)) {
    const { revision, padding, projections, lexical, tokenVectors } = model;
    facts.push(revision, padding, projections, lexical, tokenVectors);
  }
  const key = JSON.stringify(facts);
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 12);
  return join(modelCacheFolder, 'graphs', `${name}-${digest}.onnx`);
}

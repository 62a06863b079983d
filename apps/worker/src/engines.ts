import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbedmillError } from '@embedmill/jobs';
import type { Budget } from '@embedmill/batching';
import type { ImagePreparation } from '@embedmill/images';
import {
  engineModel,
  EngineProcess,
  RemoteEngine,
  type Device,
  type Engine,
  type EngineEvent,
  type RemoteEngineEvent,
} from '@embedmill/inference';
import { visionOf, type ResolvedModel, type ResolvedTokenizer, type VisionEntry } from '@embedmill/models';
import type { RemoteConfig } from './config.ts';
import type { EnginePlan } from './engine-plan.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** The engine's entry stands beside this module, as source and as bundle. */
const ENGINE = new URL(`./engine.${extension}`, import.meta.url);

/** A model's engines, all alike, and what suits them. */
export interface EngineSet {
  engines: [Engine, ...Engine[]];
  budget: Partial<Budget>;
  /** Whether they embed texts instead of tokens. */
  readsTexts: boolean;
  /** What reads images, of models that do. */
  images?: { engine: Engine; preparation: ImagePreparation } | undefined;
}

/** Padded tokens in a batch for a server elsewhere, which makes batches of its own of what it gets. */
const REMOTE_AREA = 16_384;

export interface EngineStart {
  plan: Pick<EnginePlan, 'devices' | 'graph' | 'graphCache' | 'area'>;
  batchDeadlineMs: number;
  onEngineEvent?: (event: EngineEvent) => void;
}

/** All of the plan's engines, or none: those that started are closed when one cannot be had. */
export async function startEngines(
  model: ResolvedModel,
  { plan, batchDeadlineMs, onEngineEvent }: EngineStart,
): Promise<[EngineProcess, ...EngineProcess[]]> {
  const { graph, graphCache, area, devices } = plan;
  const start = (device: Device) =>
    EngineProcess.start({
      entry: ENGINE,
      model: engineModel(model),
      device,
      graph,
      graphCache,
      area,
      deadlineMs: batchDeadlineMs,
      ...(onEngineEvent === undefined ? {} : { onEvent: onEngineEvent }),
    });
  if (graphCache !== undefined && !existsSync(graphCache)) {
    // Where the folder cannot be made, the graph is optimized at every start.
    await mkdir(dirname(graphCache), { recursive: true }).catch(() => undefined);
    // Optimizing and keeping a graph takes several times the memory of running it, which an engine never gives back.
    await (await start(devices[0])).close();
  }
  const started = await Promise.allSettled(devices.map(start));
  const engines = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  const [first, ...others] = engines;
  if (failed === undefined && first !== undefined) return [first, ...others];
  await Promise.all(engines.map((engine) => engine.close()));
  throw failed?.reason ?? new EmbedmillError('internal', 'a plan without engines');
}

/** A server that embeds in place of engines here. */
export async function connectRemote(
  model: ResolvedTokenizer,
  { url, api, model: nameThere, apiKey }: RemoteConfig,
  options: { batchDeadlineMs: number; onEvent: (event: RemoteEngineEvent) => void },
): Promise<EngineSet> {
  const engine = await RemoteEngine.connect({
    url,
    api,
    apiKey,
    model: nameThere ?? model.name,
    dims: model.dims,
    normalize: model.normalize,
    deadlineMs: options.batchDeadlineMs,
    onEvent: options.onEvent,
  });
  return {
    engines: [engine],
    budget: { area: REMOTE_AREA, launchCost: 0, maxItems: engine.maxItems },
    readsTexts: true,
  };
}

/** All that a model needs on this machine. */
export async function startEngineSet(
  model: ResolvedModel,
  start: EngineStart & { plan: Pick<EnginePlan, 'launchCost'> },
): Promise<EngineSet> {
  const { area, launchCost } = start.plan;
  const engines = await startEngines(model, start);
  const set: EngineSet = { engines, budget: { area, launchCost }, readsTexts: false };
  const vision = visionOf(model);
  if (vision === undefined || model.visionPath === undefined) return set;
  try {
    const engine = await startImageEngine({ vision, path: model.visionPath }, model, start);
    return { ...set, images: { engine, preparation: vision } };
  } catch (thrown) {
    await Promise.all(engines.map((one) => one.close()));
    throw thrown;
  }
}

/** What reads images, of models that do: one engine, of all threads on a CPU. */
async function startImageEngine(
  { vision, path }: { vision: VisionEntry; path: string },
  model: Pick<ResolvedModel, 'dims'>,
  { plan, batchDeadlineMs, onEngineEvent }: EngineStart,
): Promise<EngineProcess> {
  const [first, ...others] = plan.devices;
  const threads = plan.devices.reduce((sum, device) => sum + (device.kind === 'cpu' ? device.threads : 0), 0);
  return EngineProcess.start({
    entry: ENGINE,
    model: {
      kind: 'image',
      path,
      dims: model.dims,
      normalize: true,
      size: vision.size,
      mean: vision.mean,
      std: vision.std,
    },
    device: first.kind === 'cpu' ? { kind: 'cpu', threads } : (others[0] ?? first),
    graph: plan.graph,
    deadlineMs: batchDeadlineMs,
    ...(onEngineEvent === undefined ? {} : { onEvent: onEngineEvent }),
  });
}

import type { Budget } from '@embedmill/batching';
import { ENGINE_ENTRY, startEngines, type EnginePlan, type EngineStart } from '@embedmill/embed/pipeline';
import type { ImagePreparation } from '@embedmill/images';
import { EngineProcess, RemoteEngine, type Engine, type RemoteEngineEvent } from '@embedmill/inference';
import { visionOf, type ResolvedModel, type ResolvedTokenizer, type VisionEntry } from '@embedmill/models';
import type { RemoteConfig } from './config.ts';

/** A model's engines, all alike, and the budget that suits them. */
export interface EngineSet {
  engines: [Engine, ...Engine[]];
  budget: Partial<Budget>;
  /** Whether they embed texts instead of tokens. */
  readsTexts: boolean;
  /** Reads images, if the model does. */
  images?: { engine: Engine; preparation: ImagePreparation } | undefined;
}

/** Padded tokens in a batch for a remote server, which forms its own batches from what it receives. */
const REMOTE_AREA = 16_384;

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

/** Everything that a model needs on this machine. */
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

/** Reads images, if the model does: one engine, with all threads on a CPU. */
async function startImageEngine(
  { vision, path }: { vision: VisionEntry; path: string },
  model: Pick<ResolvedModel, 'dims'>,
  { plan, batchDeadlineMs, onEngineEvent }: EngineStart,
): Promise<EngineProcess> {
  const [first, ...others] = plan.devices;
  const threads = plan.devices.reduce((sum, device) => sum + (device.kind === 'cpu' ? device.threads : 0), 0);
  return EngineProcess.start({
    entry: ENGINE_ENTRY,
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

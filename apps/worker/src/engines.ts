import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EngineProcess, type Device, type EngineEvent, type EngineModel } from '@embedmill/inference';
import type { ResolvedModel } from '@embedmill/models';
import type { EnginePlan } from './engine-plan.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** The engine's entry stands beside this module, as source and as bundle. */
const ENGINE = new URL(`./engine.${extension}`, import.meta.url);

export interface EngineStart {
  plan: Pick<EnginePlan, 'devices' | 'graph' | 'graphCache' | 'area'>;
  batchDeadlineMs: number;
  onEngineEvent?: (event: EngineEvent) => void;
}

/** All of the plan's engines, or none: those that started are closed when one cannot be had. */
export async function startEngines(
  model: ResolvedModel,
  { plan, batchDeadlineMs, onEngineEvent }: EngineStart,
): Promise<EngineProcess[]> {
  const { graph, graphCache, area } = plan;
  if (graphCache !== undefined) {
    // Where it cannot be made, the graph is optimized at every start.
    await mkdir(dirname(graphCache), { recursive: true }).catch(() => undefined);
  }
  const start = (device: Device) =>
    EngineProcess.start({
      entry: ENGINE,
      model: engineModel(model),
      ...{ device, graph, graphCache, area },
      deadlineMs: batchDeadlineMs,
      ...(onEngineEvent === undefined ? {} : { onEvent: onEngineEvent }),
    });
  const [device, ...devices] = plan.devices;
  // The first one alone: it leaves the optimized graph for the others.
  const first = await start(device);
  const others = await Promise.allSettled(devices.map(start));
  const engines = [first, ...others.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))];
  const failed = others.find((one) => one.status === 'rejected');
  if (failed === undefined) return engines;
  await Promise.all(engines.map((engine) => engine.close()));
  throw failed.reason;
}

export function engineModel(model: ResolvedModel): EngineModel {
  const { modelPath: path, pooling, normalize, dims, padTokenId } = model;
  return { path, pooling, normalize, dims, padTokenId };
}

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { engineModel, EngineProcess, type Device, type EngineEvent } from '@embedmill/inference';
import { EmbedmillError } from '@embedmill/jobs';
import type { ResolvedModel } from '@embedmill/models';
import type { EnginePlan } from './engine-plan.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/**
 * The entry of an engine process, next to this module, both as source and in every bundle that contains this module.
 */
export const ENGINE_ENTRY = new URL(`./engine.${extension}`, import.meta.url);

export interface EngineStart {
  plan: Pick<EnginePlan, 'devices' | 'graph' | 'graphCache' | 'area'>;
  batchDeadlineMs: number;
  onEngineEvent?: (event: EngineEvent) => void;
}

/** Starts all of the plan's engines, or none: if one fails, the others are closed. */
export async function startEngines(
  model: ResolvedModel,
  { plan, batchDeadlineMs, onEngineEvent }: EngineStart,
): Promise<[EngineProcess, ...EngineProcess[]]> {
  const { graph, graphCache, area, devices } = plan;
  const start = (device: Device) =>
    EngineProcess.start({
      entry: ENGINE_ENTRY,
      model: engineModel(model),
      device,
      graph,
      graphCache,
      area,
      deadlineMs: batchDeadlineMs,
      ...(onEngineEvent === undefined ? {} : { onEvent: onEngineEvent }),
    });
  if (graphCache !== undefined && !existsSync(graphCache)) {
    // If the folder cannot be created, the graph is optimized at every start.
    await mkdir(dirname(graphCache), { recursive: true }).catch(() => undefined);
    // Optimizing and caching a graph takes several times the memory of running it, which an engine never releases.
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

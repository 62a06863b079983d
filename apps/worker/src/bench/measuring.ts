import { startEngines, type EngineStart } from '@embedmill/embed/pipeline';
import type { Device, Engine, GraphTuning } from '@embedmill/inference';
import type { ResolvedModel } from '@embedmill/models';
import { batchOf, feed, sortedBatches } from './feeding.ts';

/** A candidate configuration: engines and their batches. */
export interface Candidate {
  model: ResolvedModel;
  graph: GraphTuning;
  devices: Device[];
  area: number;
  launchCost: number;
}

/** How long a candidate runs at a time, and how often; candidates take turns, because a machine's speed drifts. */
export interface Effort {
  rounds: number;
  lookSeconds: number;
}

export const USUAL_EFFORT: Effort = { rounds: 5, lookSeconds: 0.4 };
export const LOOK_DEADLINE_MS = 120_000;

/** The length of the sequences used to time a launch, and their initial number. */
const LAUNCH_LENGTH = { cpu: 16, gpu: 128 } as const;
const LAUNCH_COUNTS = [1, 4, 16, 64, 256, 1024];
/** Longer runs do not reveal the launch cost. */
const LONG_RUN_SECONDS = 0.02;

/**
 * The median tokens per second of each candidate, run in turns; 0 for one that cannot run. Candidates that differ only
 * in their area share engines.
 */
export async function measureInTurn(
  { sequences, effort = USUAL_EFFORT }: { sequences: Int32Array[]; effort?: Effort | undefined },
  candidates: readonly Candidate[],
): Promise<number[]> {
  const looks = new Map(candidates.map((candidate) => [candidate, [] as number[]]));
  const groups = Map.groupBy(candidates, ({ model, graph, devices }) =>
    JSON.stringify([model.modelPath, graph, devices]),
  );
  for (let round = 0; round < effort.rounds; round += 1) {
    for (const group of groups.values()) {
      const engines = await startAll(group).catch(() => []);
      for (const candidate of group) {
        const rate = await measure(engines, candidate, sequences, effort.lookSeconds).catch(() => 0);
        looks.get(candidate)?.push(rate);
      }
      await Promise.all(engines.map((engine) => engine.close()));
    }
  }
  return candidates.map((candidate) => median(looks.get(candidate) ?? []));
}

export function startAll([candidate]: readonly Candidate[]): Promise<Engine[]> {
  const [device, ...devices] = candidate?.devices ?? [];
  if (candidate === undefined || device === undefined) return Promise.resolve([]);
  const { model, graph, area } = candidate;
  const plan: EngineStart['plan'] = { devices: [device, ...devices], graph, graphCache: undefined, area };
  return startEngines(model, { plan, batchDeadlineMs: LOOK_DEADLINE_MS });
}

export async function measure(
  engines: readonly Engine[],
  { area, launchCost }: Candidate,
  sequences: Int32Array[],
  lookSeconds: number,
): Promise<number> {
  const batches = sortedBatches(sequences, area, launchCost);
  let at = 0;
  const until = (seconds: number) => {
    const end = performance.now() + seconds * 1000;
    return feed(engines, async () => (performance.now() < end ? batches[at++ % batches.length] : undefined));
  };
  await until(lookSeconds / 5);
  const { tokens, seconds } = await until(lookSeconds);
  return seconds > 0 ? tokens / seconds : 0;
}

export function median(rates: readonly number[]): number {
  return rates.toSorted((a, b) => a - b)[rates.length >> 1] ?? 0;
}

/** The launch cost of a candidate in tokens, measured by runs with few and many sequences of equal length. */
export async function measureLaunchCost(
  candidate: Candidate,
  effort: Effort = USUAL_EFFORT,
): Promise<number> {
  const [device] = candidate.devices;
  const length = device?.kind === 'cpu' ? LAUNCH_LENGTH.cpu : LAUNCH_LENGTH.gpu;
  const engines = await startAll([candidate]);
  const timed: { area: number; seconds: number }[] = [];
  for (const count of LAUNCH_COUNTS) {
    const batch = batchOf(Array.from({ length: count }, () => new Int32Array(length).fill(1)));
    const end = performance.now() + effort.lookSeconds * 1000;
    const next = async () => (performance.now() < end ? batch : undefined);
    const run = await feed(engines, next).catch(() => undefined);
    if (run === undefined || run.documents === 0) break;
    const seconds = (run.seconds * count) / run.documents;
    timed.push({ area: count * length, seconds });
    if (seconds > LONG_RUN_SECONDS) break;
  }
  await Promise.all(engines.map((engine) => engine.close()));
  return launchCostOf(timed);
}

/**
 * The launch cost in tokens, from fitting the line seconds = perToken × (area + launchCost) to the measurements by
 * least squares of the relative errors; 0 if it cannot be determined.
 */
export function launchCostOf(timed: readonly { area: number; seconds: number }[]): number {
  const sum = (of: (area: number, weight: number) => number) =>
    timed.reduce((total, { area, seconds }) => total + of(area, 1 / seconds), 0);
  const ww = sum((_, weight) => weight * weight);
  const wa = sum((area, weight) => weight * weight * area);
  const aa = sum((area, weight) => (weight * area) ** 2);
  const w = sum((_, weight) => weight);
  const a = sum((area, weight) => weight * area);
  const launch = w * aa - a * wa;
  const perToken = a * ww - w * wa;
  if (timed.length < 2 || perToken <= 0 || launch <= 0) return 0;
  return Math.round(launch / perToken);
}

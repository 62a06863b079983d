/**
 * Measures what runs a model fastest on this machine: first which of its files and which graph optimizations, then how
 * many engines with how many threads, and the largest batch.
 *
 * Files are judged by their results, not by their names: a file whose vectors differ from those of the model's own file
 * by more than allowed, or depend on the rest of their batch, is excluded, however fast it is.
 */
import { startEngines, type Calibration, type Machine } from '@embedmill/embed/pipeline';
import { defaultGraph, type Device, type EngineLayout, type GraphTuning } from '@embedmill/inference';
import type { OfferedFile, ResolvedModel } from '@embedmill/models';
import { compareVectors, embedAlone, embedTogether, type Agreement } from './agreement.ts';
import {
  measure,
  measureInTurn,
  measureLaunchCost,
  median,
  startAll,
  LOOK_DEADLINE_MS,
  USUAL_EFFORT,
  type Candidate,
  type Effort,
} from './measuring.ts';

export interface CalibrationInput {
  /** The files to try, the model's own first. */
  files: { file: OfferedFile; model: ResolvedModel }[];
  /** One engine each; for CPUs, the best number of engines is searched. */
  devices: Device[];
  machine: Machine;
  /** Texts' tokens, of all lengths. */
  sequences: Int32Array[];
  /** The lowest allowed cosine of a file's vectors to those of the model's own file. */
  minCosine: number;
  note: (text: string) => void;
  effort?: Effort;
}

/** Differences below this are noise; then the first candidate wins. */
const AS_GOOD = 0.985;
/** A query waits for the running batch, so batches that take longer are avoided if possible. */
const LONGEST_BATCH_SECONDS = 0.05;
/** The number of consecutive worse areas after which larger ones are not tried. */
const WORSE_IN_A_ROW = 2;

const AREAS = {
  cpu: [128, 256, 384, 512, 768, 1024, 2048, 4096, 8192, 16_384, 32_768],
  gpu: [2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072],
} as const;

/** Graph optimizations to try; the first is the default without a measurement. */
function graphsFor(device: Device): GraphTuning[] {
  const usual = defaultGraph(device);
  if (device.kind !== 'cpu') return [usual];
  return [usual, { level: 'all', without: [] }, { level: 'basic', without: [] }];
}

export async function calibrate(input: CalibrationInput): Promise<Calibration> {
  const { machine, devices, note, effort } = input;
  const { chosen: fastestOne, agreement } = await fastestGraph(input);
  const launchCost = await measureLaunchCost(fastestOne, effort);
  const chosen = { ...fastestOne, launchCost };
  const areas = await worthwhileAreas(input, chosen);
  const layouts = devices[0]?.kind === 'cpu' ? cpuLayouts(machine.cpus) : [undefined];
  const candidates = layouts.flatMap((layout) =>
    areas.map((area) => ({ ...chosen, area, layout, devices: layout ? cpuDevices(layout) : devices })),
  );
  const rates = await measureInTurn(input, candidates);
  for (const [n, { area, layout }] of candidates.entries()) {
    note(
      `  ${layout ? `${layout.processes} × ${layout.threads} threads, ` : ''}area ${area}: ${perSecond(rates[n])}`,
    );
  }
  const best = fastest(rates);
  const { area, layout } = candidates[best] ?? { area: areas[0] ?? 1, layout: undefined };
  const [own] = input.files;
  return {
    format: 1,
    model: chosen.model.name,
    revision: own?.model.revision ?? chosen.model.revision,
    machine,
    file: chosen.file === own?.file ? null : { ...chosen.file, minCosine: agreement.minCosine },
    graph: { ...chosen.graph, without: [...chosen.graph.without] },
    layout: layout ?? null,
    area,
    launchCost,
    tokensPerSecond: Math.round(rates[best] ?? 0),
    measuredAt: new Date().toISOString(),
  };
}

/** The file and the graph that run fastest in one engine. */
async function fastestGraph({ files, devices, sequences, minCosine, note, effort }: CalibrationInput) {
  const [device] = devices;
  if (device === undefined) throw new Error('there is no device to calibrate for');
  const single: Device = device.kind === 'cpu' ? { kind: 'cpu', threads: 1 } : device;
  const sample = sequences.slice(0, 48);
  const candidates: (Candidate & { file: OfferedFile; agreement: Agreement })[] = [];
  let reference: Float32Array[] | undefined;
  for (const { file, model } of files) {
    const area = device.kind === 'cpu' ? 384 : 16_384;
    const [usual = defaultGraph(single), ...others] = graphsFor(single);
    const agreement = await agreementOf({ model, graph: usual, device: single, area }, sample, reference);
    if (typeof agreement === 'string') {
      note(`${file.path}: skipped: ${agreement}`);
      if (reference === undefined) throw new Error(`the model's own file cannot be run: ${agreement}`);
      continue;
    }
    reference ??= agreement.vectors;
    const { minCosine: least, batchCosine } = agreement;
    if (least < minCosine || batchCosine < minCosine) {
      const why = least < minCosine ? 'its vectors differ' : 'a vector shifts with what shares its batch';
      note(`${file.path}: skipped: ${why} (least cosine ${Math.min(least, batchCosine).toFixed(5)})`);
      continue;
    }
    for (const graph of [usual, ...others]) {
      candidates.push({ file, model, graph, devices: [single], area, launchCost: 8, agreement });
    }
  }
  const rates = await measureInTurn({ sequences, effort }, candidates);
  for (const [n, { file, graph }] of candidates.entries()) {
    note(`${file.path}, graph ${graphLabel(graph)}: ${perSecond(rates[n])} in one engine`);
  }
  const chosen = candidates[fastest(rates)];
  if (chosen === undefined) throw new Error('no file of the model can be used');
  return { chosen, agreement: chosen.agreement };
}

/** Vectors of a sample, or why the file cannot be run. */
async function agreementOf(
  { model, graph, device, area }: Pick<Candidate, 'model' | 'graph' | 'area'> & { device: Device },
  sample: Int32Array[],
  reference: Float32Array[] | undefined,
): Promise<(Agreement & { vectors: Float32Array[] }) | string> {
  try {
    const [engine] = await startEngines(model, {
      plan: { devices: [device], graph, graphCache: undefined, area },
      batchDeadlineMs: LOOK_DEADLINE_MS,
    });
    if (engine === undefined) return 'it does not start';
    try {
      const vectors = await embedAlone(engine, sample);
      const together = await embedTogether(engine, sample);
      return { vectors, ...compareVectors(reference ?? vectors, vectors, together) };
    } finally {
      await engine.close();
    }
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

/** The areas near the best one, the best guess first. */
async function worthwhileAreas(
  { sequences, effort = USUAL_EFFORT }: CalibrationInput,
  chosen: Candidate,
): Promise<number[]> {
  const tried: { area: number; rate: number }[] = [];
  let best = 0;
  let worse = 0;
  const engines = await startAll([chosen]);
  for (const area of chosen.devices[0]?.kind === 'cpu' ? AREAS.cpu : AREAS.gpu) {
    const rates: number[] = [];
    for (let look = 0; look < Math.min(3, effort.rounds); look += 1) {
      rates.push(await measure(engines, { ...chosen, area }, sequences, effort.lookSeconds).catch(() => 0));
    }
    const rate = median(rates);
    tried.push({ area, rate });
    worse = rate < best * AS_GOOD ? worse + 1 : 0;
    best = Math.max(best, rate);
    // 0: it ran out of memory.
    if (rate === 0 || worse >= WORSE_IN_A_ROW) break;
  }
  await Promise.all(engines.map((engine) => engine.close()));
  const near = tried.filter(({ rate }) => rate > best * 0.95);
  const quick = near.filter(({ area, rate }) => area / rate <= LONGEST_BATCH_SECONDS);
  // The largest first, so that it wins ties: a batch has further costs outside its run, which are not measured here.
  const areas = (quick.length > 0 ? quick : near.slice(0, 1)).map(({ area }) => area).toReversed();
  return areas.slice(0, 5);
}

/** The first that is as good as the best. */
export function fastest(rates: readonly number[]): number {
  const best = Math.max(...rates);
  return rates.findIndex((rate) => rate >= best * AS_GOOD);
}

/** One thread per engine, all threads in one engine, and powers of two in between. */
export function cpuLayouts(cpus: number): EngineLayout[] {
  const layouts: EngineLayout[] = [];
  for (let threads = 1; threads < cpus; threads *= 2) {
    layouts.push({ processes: Math.floor(cpus / threads), threads });
  }
  return [...layouts, { processes: 1, threads: cpus }];
}

const cpuDevices = ({ processes, threads }: EngineLayout): Device[] =>
  Array.from({ length: processes }, () => ({ kind: 'cpu', threads }));

const perSecond = (rate: number | undefined): string =>
  `${Math.round(rate ?? 0).toLocaleString('en-US')} tokens/s`;

const graphLabel = ({ level, without }: GraphTuning): string =>
  without.length === 0 ? level : `${level} without ${without.join(', ')}`;

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { profileSchema } from '@embedmill/jobs';
import type { Context } from '../command-host.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { grouped } from '../terminal/text.ts';
import { BenchProcess } from './bench-process.ts';
import { documentLines } from './corpora.ts';
import { benchEnvironment, loadCorpusMaker } from './surroundings.ts';

export interface CalibrationRequest {
  models?: string[];
  files?: string[];
  minCosine: number;
  /** The number of rounds; the median is used. */
  repeats: number;
  /** The time for a row of the benchmark; a candidate runs for a part of it. */
  seconds: number;
}

/** There are many candidates, and telling them apart takes a fraction of the time that a row's figure takes. */
const LOOKS_IN_A_ROUND = 20;

const calibratedSchema = z.object({
  path: z.string(),
  calibration: z.looseObject({
    model: z.string(),
    file: z.looseObject({ path: z.string(), minCosine: z.number() }).nullable(),
    graph: z.object({ level: z.string(), without: z.array(z.string()) }),
    layout: z.object({ processes: z.number(), threads: z.number() }).nullable(),
    area: z.number(),
    tokensPerSecond: z.number(),
  }),
});
export type Calibrated = z.infer<typeof calibratedSchema>;

/** How close the vectors of another file must be to those of the model's own file. */
export const MIN_COSINE = 0.999;

/** Enough texts of all lengths to fill a few of the largest batches. */
const DOCUMENTS = 2000;

/** `embedmill bench --calibrate`: each model in turn, on the configured device of workers. */
export async function runCalibration(context: Context, request: CalibrationRequest): Promise<ExitCode> {
  const { terminal } = context;
  const calibrated: Calibrated[] = [];
  for (const model of request.models ?? [profileSchema.parse({}).model]) {
    calibrated.push(await calibrateModel(context, model, request));
  }
  if (terminal.json) terminal.printJson({ calibrations: calibrated });
  return EXIT.ok;
}

export async function calibrateModel(
  context: Context,
  model: string,
  { files, minCosine, repeats, seconds }: Omit<CalibrationRequest, 'models'>,
): Promise<Calibrated> {
  const { terminal, interruption } = context;
  const environment = benchEnvironment(context);
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-bench-'));
  const bench = new BenchProcess(environment, (text) => terminal.note(text), interruption.signal);
  try {
    terminal.note(`calibrating ${model}; other work on this machine would distort the result`);
    const corpus = join(folder, 'mixed.ndjson');
    await writeFile(corpus, documentLines((await loadCorpusMaker(environment)).texts('mixed', DOCUMENTS)));
    const effort = { rounds: repeats, lookSeconds: seconds / LOOKS_IN_A_ROUND };
    const question = { kind: 'calibrate', model, corpus, files: files ?? null, minCosine, effort };
    const result = await bench.ask(question, calibratedSchema);
    for (const line of describe(result)) terminal.print(line);
    return result;
  } finally {
    await bench.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function describe({ calibration, path }: Calibrated): string[] {
  const { model, file, graph, layout, area, tokensPerSecond } = calibration;
  const without = graph.without.length === 0 ? '' : ` without ${graph.without.join(', ')}`;
  return [
    `${model}: ${grouped(tokensPerSecond)} tokens/s`,
    ...(file === null ? [] : [`  file    ${file.path} (least cosine to its own file ${file.minCosine})`]),
    `  graph   ${graph.level}${without}`,
    ...(layout === null ? [] : [`  layout  ${layout.processes} engines of ${layout.threads} threads`]),
    `  area    ${grouped(area)} padded tokens per batch`,
    `  saved in ${path}; workers use it after their next start`,
  ];
}

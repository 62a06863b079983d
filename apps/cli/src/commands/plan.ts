import { InvalidArgumentError, Option, type Command } from 'commander';
import { profileSchema, type Language, type SparseScheme } from '@embedmill/jobs';
import { findModel } from '@embedmill/models';
import { benchEnvironment } from '../bench/surroundings.ts';
import type { CommandHost, Context } from '../command-host.ts';
import { EXIT, usageError, type ExitCode } from '../exit.ts';
import { languageOf, modelReading } from '../documents/language-choice.ts';
import { integerBetween, schemesOf } from '../options/option-values.ts';
import { BYTES_A_TOKEN } from '../plan/costs.ts';
import { writingOf } from '../plan/languages.ts';
import { planOf, type PlanRequest } from '../plan/plan.ts';
import { measuredRate, MEASURED_ON } from '../plan/rates.ts';
import { planLines, planWarnings, simulationLines, type RateSource } from '../plan/report.ts';
import { scenarioOf } from '../plan/scenario.ts';
import { simulate } from '../plan/simulation.ts';

interface PlanOptions {
  documents: number;
  tokensPerDoc?: number;
  charsPerDoc?: number;
  language?: Language;
  model?: string;
  device: string;
  hours?: number;
  workers?: number;
  chunkTokens?: number;
  sparse: SparseScheme[];
  storage: PlanRequest['storage'];
  tokensPerSecond?: number;
  jobs: number;
  simulate?: true;
  mtbf: number;
  replicas?: number;
  bound?: number;
  seed: number;
}

const STORAGES = profileSchema.shape.storage.unwrap().options;

export function addPlan(program: Command, host: CommandHost): void {
  program
    .command('plan')
    .description('plan a cluster: workers, hours and sizes for a number of documents')
    .requiredOption('--documents <number>', 'the number of documents, such as 1000000 or 1e9', countOf)
    .option('--tokens-per-doc <number>', 'average tokens per document, as the model counts them', countOf)
    .addOption(
      new Option(
        '--chars-per-doc <number>',
        'average characters per document; tokens are estimated by language',
      )
        .argParser(countOf)
        .conflicts('tokensPerDoc'),
    )
    .option(
      '--language <name>',
      'language of the texts (default: english); also chooses the model',
      languageOf,
    )
    .option('--model <name>', 'the dense model')
    .option('--device <name>', 'device of the workers’ engines', 'cpu')
    .addOption(
      new Option('--workers <number>', 'the number of workers').argParser(countOf).conflicts('hours'),
    )
    .option('--hours <number>', 'the time available; workers are computed from it', positive)
    .option(
      '--tokens-per-second <number>',
      'speed of one of your workers, as "embedmill bench" measures it',
      positive,
    )
    .option(
      '--chunk-tokens <number>',
      'the most tokens in a chunk (default: the model’s limit)',
      integerBetween(16, 8192),
    )
    .addOption(
      new Option('--sparse <schemes>', 'sparse vectors in addition to the dense one: bm25, bm42, splade')
        .argParser(schemesOf)
        .default([], 'none'),
    )
    .addOption(
      new Option('--storage <kind>', 'how dense vectors are stored').choices(STORAGES).default('float32'),
    )
    .option('--jobs <number>', 'the number of jobs to submit them in', integerBetween(1, 10_000), 1)
    .option('--simulate', 'simulate the run with failures, and a small job in the middle')
    .option('--mtbf <hours>', 'with --simulate: mean time between failures of a worker', positive, 24)
    .option(
      '--replicas <number>',
      'with --simulate: API replicas, instead of the planned number',
      integerBetween(1, 1000),
    )
    .option(
      '--bound <shards>',
      'with --simulate: a fixed limit of shards on the queue per job',
      integerBetween(1, 1_000_000),
    )
    .option('--seed <number>', 'with --simulate: seed of the random numbers', integerBetween(1, 2 ** 31), 1)
    .action((options: PlanOptions) => host.run((context) => runPlan(context, options)));
}

async function runPlan(context: Context, options: PlanOptions): Promise<ExitCode> {
  const { terminal } = context;
  const { request, rate } = await requestOf(context, options);
  const plan = planOf(request);
  const warnings = planWarnings(plan);
  for (const line of planLines(request, plan, rate)) terminal.print(line);
  for (const warning of warnings) terminal.print(`! ${warning}`);
  const scenario =
    options.simulate === true
      ? scenarioOf(request, plan, { ...options, mtbfHours: options.mtbf })
      : undefined;
  const outcome = scenario && simulate(scenario.cluster, scenario.load, scenario.faults, options.seed);
  if (outcome !== undefined) {
    terminal.print(
      `\n${terminal.style('bold', 'simulated')}, with a failure of each worker every ${options.mtbf} h`,
    );
    for (const line of simulationLines(request, plan, outcome)) terminal.print(line);
  }
  if (terminal.json) {
    const simulation = scenario && { ...scenario, outcome };
    terminal.printJson({ request, rate, plan, warnings, ...(simulation && { simulation }) });
  }
  return EXIT.ok;
}

async function requestOf(
  context: Context,
  options: PlanOptions,
): Promise<{ request: PlanRequest; rate: RateSource }> {
  const { documents, workers, hours, device, language = 'english' } = options;
  const model = options.model ?? modelReading(language) ?? profileSchema.parse({}).model;
  const { tokensPerDocument, bytesPerToken } = textOf(options);
  if (workers === undefined && hours === undefined)
    throw usageError('give the number of --workers, or the --hours to finish in');
  const environment = benchEnvironment(context);
  const entry = await findModel(model, {
    modelsDir: environment['EMBEDMILL_MODELS_DIR'] || undefined,
    cacheDir: environment['EMBEDMILL_MODEL_CACHE_DIR'] ?? '',
  });
  if (entry.kind !== 'dense')
    throw usageError(`${model} gives no dense vectors; use --sparse for sparse ones`);
  const chunkTokens = Math.min(options.chunkTokens ?? entry.maxTokens, entry.maxTokens);
  const { tokensPerSecond, rate } = rateOf(
    { ...options, model },
    Math.min(tokensPerDocument + 2, chunkTokens),
    device,
  );
  return {
    request: {
      documents,
      tokensPerDocument,
      bytesPerToken,
      chunkTokens,
      dims: entry.dims,
      storage: options.storage,
      sparse: options.sparse,
      tokensPerSecond,
      jobs: options.jobs,
      size: workers !== undefined ? { workers } : { hours: hours ?? 1 },
    },
    rate,
  };
}

/** How long a document's text is, in the model's tokens, and how many bytes each of them takes. */
function textOf({ tokensPerDoc, charsPerDoc, language = 'english' }: PlanOptions) {
  const writing = writingOf(language);
  if (tokensPerDoc !== undefined) {
    return { tokensPerDocument: tokensPerDoc, bytesPerToken: writing?.bytesPerToken ?? BYTES_A_TOKEN };
  }
  if (charsPerDoc === undefined) throw usageError('say --tokens-per-doc or --chars-per-doc');
  if (writing === undefined) {
    throw usageError(`the tokens per character of ${language} were not measured; give --tokens-per-doc`);
  }
  const tokensPerDocument = Math.max(1, Math.round(charsPerDoc * writing.tokensPerCharacter));
  return { tokensPerDocument, bytesPerToken: writing.bytesPerToken };
}

/** The user's rate, or the measured one of texts like these. A usage error that says how to measure, where there is none. */
function rateOf(
  { model, tokensPerSecond: own }: PlanOptions & { model: string },
  tokensPerChunk: number,
  device: string,
): { tokensPerSecond: number; rate: RateSource } {
  if (own !== undefined) return { tokensPerSecond: own, rate: { by: 'you' } };
  const measured = measuredRate(model, device, tokensPerChunk);
  if (measured === undefined) {
    throw usageError(
      `the speed of ${model} on ${device} is unknown; measure one of your workers with ` +
        `"EMBEDMILL_WORKER_DEVICE=${device} embedmill bench --models ${model} --who E1" ` +
        'and give its TOKENS/S as --tokens-per-second',
    );
  }
  const where = `on ${MEASURED_ON.machine}, ${MEASURED_ON.date} (${MEASURED_ON.where})`;
  return {
    tokensPerSecond: measured.tokensPerSecond,
    rate: { by: 'measurement', tokensPerChunk: measured.tokensPerChunk, where },
  };
}

function countOf(value: string): number {
  const number = Number(value);
  if (!/^\d+(\.\d+)?(e\d+)?$/i.test(value) || !Number.isInteger(number) || number < 1 || number > 1e13)
    throw new InvalidArgumentError('It must be a whole number, such as 1000000 or 1e6.');
  return number;
}

function positive(value: string): number {
  const number = Number(value);
  if (!(number > 0 && number < 1e12)) throw new InvalidArgumentError('It must be a number above 0.');
  return number;
}

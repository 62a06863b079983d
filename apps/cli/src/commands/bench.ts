import { InvalidArgumentError, Option, type Command } from 'commander';
import { BENCH_STORES, withStore, type BenchStore } from '../bench/bench-store.ts';
import { runBench } from '../bench/bench.ts';
import { MIN_COSINE, runCalibration } from '../bench/calibration.ts';
import { CORPORA, type CorpusName } from '../bench/corpora.ts';
import { runLongJob, saveCorpus } from '../bench/long-job.ts';
import { WHO, type Who } from '../bench/rows.ts';
import { runScaleOut } from '../bench/scale-out.ts';
import type { CommandHost } from '../command-host.ts';
import { integerBetween, numberBetween } from '../options/option-values.ts';

interface BenchOptions {
  models?: string[];
  corpora: CorpusName[];
  who: Who[];
  repeats: number;
  seconds: number;
  calibrate?: true;
  long?: number;
  scale?: number;
  store?: BenchStore;
  save?: string;
  documents: number;
  files?: string[];
  minCosine: number;
}

const FASTEST_MODEL = 'static-minilm-256';
const many = integerBetween(1, 1_500_000);

export function addBench(program: Command, host: CommandHost): void {
  const corpora = Object.keys(CORPORA) as CorpusName[];
  const who = Object.keys(WHO) as Who[];
  program
    .command('bench')
    .description(
      'measure how fast this machine embeds, compared with its limit; with --calibrate, find the fastest settings',
    )
    .option('--models <names>', 'models, separated by commas; by default all local ones', names)
    .option('--corpora <names>', corpora.join(', '), someOf(corpora), corpora)
    .option('--who <names>', who.join(', '), someOf(who), who)
    .option('--repeats <number>', 'rounds; the median is reported', integerBetween(1, 99), 5)
    .option('--seconds <number>', 'seconds per round', numberBetween(0.1, 600), 8)
    .option('--calibrate', 'find the fastest file, graph, layout and batch size, and save them for workers')
    .option('--files <paths>', 'with --calibrate: try only these of the model’s ONNX files', names)
    .option(
      '--min-cosine <number>',
      'with --calibrate: the least cosine to the reference vectors',
      cosine,
      MIN_COSINE,
    )
    .option(
      '--save <file>',
      'write the first corpus as NDJSON, to measure other programs with the same texts',
    )
    .option('--documents <number>', 'with --save: the number of documents', many, 6000)
    .option('--long <documents>', 'run one job of this many short documents, and track memory', many)
    .option(
      '--scale <workers>',
      'run the whole path with one worker of one CPU, then two, up to this many',
      integerBetween(1, 64),
    )
    .addOption(
      new Option(
        '--store <store>',
        'for E1 and --long: the store; by default the one in the settings',
      ).choices(BENCH_STORES),
    )
    .action((options: BenchOptions) =>
      host.run((given) => {
        const context = withStore(given, options.store);
        if (options.calibrate === true) return runCalibration(context, options);
        if (options.save !== undefined) {
          return saveCorpus(context, options.corpora[0] ?? 'mixed', options.documents, options.save);
        }
        if (options.long !== undefined) {
          return runLongJob(context, options.models?.[0] ?? FASTEST_MODEL, options.long);
        }
        if (options.scale !== undefined) {
          return runScaleOut(context, { ...options, workers: options.scale });
        }
        return runBench(context, options);
      }),
    );
}

function names(value: string): string[] {
  return value.split(',').map((name) => name.trim());
}

function someOf<Name extends string>(known: readonly Name[]): (value: string) => Name[] {
  return (value) =>
    names(value).map((name) => {
      const found = known.find((one) => one === name);
      if (found === undefined) throw new InvalidArgumentError(`There are ${known.join(', ')}.`);
      return found;
    });
}

function cosine(value: string): number {
  const number = Number(value);
  if (!(number > 0 && number <= 1)) throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return number;
}

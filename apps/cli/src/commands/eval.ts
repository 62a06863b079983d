import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Language } from '@embedmill/jobs';
import { createClient, type Client } from '@embedmill/client';
import type { CommandHost, Context } from '../command-host.ts';
import { readBeirFolder } from '../eval/beir-folder.ts';
import { evaluate, type Boundary, type Run } from '../eval/evaluation.ts';
import { MODES, type ModeName } from '../eval/modes.ts';
import { EXIT } from '../exit.ts';
import { languageOf, modelReading } from '../documents/language-choice.ts';
import { integerBetween, lateInteractionOf, poolFactorOf } from '../options/option-values.ts';
import { endOwnStack, startOwnStack } from '../stack/own-stack.ts';
import { stackDisplay } from '../stack/stack-display.ts';
import { grouped, table } from '../terminal/text.ts';

interface EvalOptions {
  model?: string;
  language?: Language;
  modes: ModeName[];
  split: string;
  chunking: boolean;
  chunkSize?: number;
  overlap?: number;
  boundary?: Boundary[];
  join: number;
  lateInteraction?: number | true;
}

const BOUNDARIES = ['content', 'paragraph', 'sentence', 'word'] as const satisfies Boundary[];
const NAMES = Object.keys(MODES) as ModeName[];

export function addEval(program: Command, host: CommandHost): void {
  program
    .command('eval')
    .description('measure search quality in each mode, by the relevance judgments of a folder')
    .argument(
      '<folder>',
      'a folder in BEIR’s layout: corpus.jsonl, queries.jsonl, qrels/test.tsv or qrels.jsonl',
    )
    .option('--model <name>', 'the dense model')
    .option('--language <name>', 'the language of the texts, as for "collections create"', languageOf)
    .option('--modes <names>', NAMES.join(', '), modesOf, NAMES)
    .option('--split <name>', 'which judgments: qrels/NAME.tsv', 'test')
    .option('--chunk-size <tokens>', 'the most tokens in a chunk', integerBetween(16, 8192))
    .option(
      '--overlap <tokens>',
      'tokens that a chunk repeats from the previous one',
      integerBetween(0, 4096),
    )
    .addOption(
      new Option('--boundary <kinds...>', 'where chunks end; several are compared').choices(BOUNDARIES),
    )
    .option(
      '--join <n>',
      'join this many texts into one document, to try long ones',
      integerBetween(1, 1000),
      1,
    )
    .option(
      '--late-interaction [factor]',
      'store token vectors for reranking, one for every 1 to 4 tokens',
      poolFactorOf,
    )
    .option('--no-chunking', 'one vector per document; longer text is truncated')
    .action((folder: string, options: EvalOptions) =>
      host.run(async (context) => {
        const beir = await readBeirFolder(folder, options.split);
        const { documents, runs } = await onServer(context, (client) =>
          evaluate(context, client, beir, {
            model: options.model ?? (options.language && modelReading(options.language)),
            language: options.language,
            modes: options.modes,
            chunking: options.chunking,
            chunkSize: options.chunkSize,
            overlap: options.overlap,
            boundaries: options.boundary ?? [],
            join: options.join,
            lateInteraction: lateInteractionOf(options.lateInteraction),
          }),
        );
        const { terminal } = context;
        const queries = beir.questions.length;
        if (terminal.json) terminal.printJson({ documents, queries, runs });
        terminal.print(
          `${grouped(documents)} documents, ${grouped(queries)} queries; 95 % intervals in brackets`,
        );
        const heading = [
          'MODE',
          'CHUNKS',
          'nDCG@10',
          '',
          'recall@100',
          '',
          'MRR',
          '',
          'ms',
          'BEYOND FIRST',
          '',
        ];
        for (const line of table([heading, ...runs.map(rowOf)], [2, 4, 6, 8, 9])) terminal.print(line);
        return EXIT.ok;
      }),
    );
}

/** On the server that runs, or is named; else on one that is started for it and stopped again. */
async function onServer<T>(context: Context, work: (client: Client) => Promise<T>): Promise<T> {
  if (context.address() !== undefined) return work(context.client());
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-eval-'));
  try {
    const stack = await startOwnStack(context, { folder, tell: stackDisplay(context.terminal, false) });
    try {
      const { interruption, config } = context;
      return await work(createClient({ url: stack.url, apiKey: config.key, signal: interruption.signal }));
    } finally {
      await endOwnStack(context, stack);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function rowOf({
  mode,
  boundary,
  ndcg10,
  recall100,
  mrr,
  intervals,
  milliseconds,
  beyondFirst,
}: Run): string[] {
  const figure = (value: number) => value.toFixed(4);
  const bracket = ({ low, high }: { low: number; high: number }) => `[${low.toFixed(3)}, ${high.toFixed(3)}]`;
  return [
    mode,
    boundary ?? '',
    ...[figure(ndcg10), bracket(intervals.ndcg10)],
    ...[figure(recall100), bracket(intervals.recall100)],
    ...[figure(mrr), bracket(intervals.mrr)],
    milliseconds.toFixed(0),
    ...(beyondFirst === null ? ['', ''] : [signed(beyondFirst.mean), bracket(beyondFirst)]),
  ];
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;

function modesOf(given: string): ModeName[] {
  return given.split(',').map((name) => {
    const known = NAMES.find((mode) => mode === name.trim());
    if (known === undefined) throw new InvalidArgumentError(`choose from ${NAMES.join(', ')}`);
    return known;
  });
}

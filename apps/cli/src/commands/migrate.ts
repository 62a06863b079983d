import { Option, type Command } from 'commander';
import { SPARSE_SCHEMES, type Job, type Language, type Profile, type SparseScheme } from '@embedmill/jobs';
import type { Client, Collection } from '@embedmill/client';
import type { CommandHost } from '../command-host.ts';
import { EXIT, usageError } from '../exit.ts';
import { jobReport, waitForJob } from '../documents/job-report.ts';
import { languageOf } from '../documents/language-choice.ts';
import { integerBetween, lateInteractionOf, poolFactorOf, schemesOf } from '../options/option-values.ts';
import { profileOf } from './collections.ts';

interface MigrateOptions {
  to?: string;
  dims?: number;
  into?: string;
  chunkSize?: number;
  overlap?: number;
  boundary?: string;
  /** False with --no-chunking. */
  chunking: boolean;
  sparse?: SparseScheme[];
  language?: Language;
  storage?: Profile['storage'];
  lateInteraction?: number | true | 'none';
  wait?: true;
  exchange?: true;
  end?: true;
}

export function addMigrate(program: Command, host: CommandHost): void {
  program
    .command('migrate')
    .description(
      'migrate a collection to another model (--to), or to other chunks and sparse vectors (--into); then --exchange, then --end',
    )
    .argument('<collection>')
    .option(
      '--to <model>',
      'add this model’s vectors to stored documents, as a job; searches do not change yet',
    )
    .option('--dims <n>', 'with --to: a smaller vector size', integerBetween(1, 65_536))
    .option(
      '--into <name>',
      'fill a new collection with the stored documents, as a job, and keep both in sync',
    )
    .option('--chunk-size <tokens>', 'with --into: the most tokens in a chunk', integerBetween(16, 8192))
    .option('--overlap <tokens>', 'with --into: tokens that a chunk repeats', integerBetween(0, 4096))
    .addOption(
      new Option('--boundary <kind>', 'with --into: where a chunk ends when it can').choices([
        'content',
        'paragraph',
        'sentence',
        'word',
      ]),
    )
    .option('--no-chunking', 'with --into: one vector per document')
    .option('--sparse <schemes>', `with --into: some of ${SPARSE_SCHEMES.join(', ')}, or none`, (given) =>
      given === 'none' ? [] : schemesOf(given),
    )
    .option('--language <name>', 'with --into: the language for bm25 and bm42', languageOf)
    .addOption(
      new Option('--storage <kind>', 'with --into: how the store keeps vectors for its first pass').choices([
        'float32',
        'int8',
        'binary',
      ]),
    )
    .option(
      '--late-interaction [factor]',
      'with --into: store token vectors, one for every 1 to 4 tokens; or none',
      (given: string) => (given === 'none' ? given : poolFactorOf(given)),
    )
    .option('--wait', 'with --to and --into: wait until the job has finished')
    .option(
      '--exchange',
      'switch searches to the other vectors, or aliases to the other collection; repeat to roll back',
    )
    .option('--end', 'drop the vectors or the collection that searches no longer use')
    .action((collection: string, options: MigrateOptions) =>
      host.run(async (context) => {
        const { client, terminal } = context;
        const { to, into, exchange, end } = options;
        if ([to, into, exchange, end].filter((one) => one !== undefined).length !== 1)
          throw usageError('give one of --to MODEL, --into NAME, --exchange and --end');
        if (exchange !== undefined || end !== undefined) {
          const view = await (exchange
            ? client().migrations.exchange(collection)
            : client().migrations.end(collection));
          if (terminal.json) terminal.printJson({ collection: view });
          terminal.print(outcomeOf(collection, view));
          return EXIT.ok;
        }
        const { job, does } = await begin(client(), collection, options);
        if (options.wait === true) return waitForJob(context, client(), job.id);
        if (terminal.json) terminal.printJson(jobReport(job));
        terminal.print(`job ${job.id} ${does}; watch it with: embedmill watch ${job.id}`);
        return EXIT.ok;
      }),
    );
}

async function begin(
  client: Client,
  collection: string,
  { to, dims, into, lateInteraction, ...options }: MigrateOptions,
): Promise<{ job: Job; does: string }> {
  if (to !== undefined) {
    const job = await client.migrations.begin(collection, { model: to, ...(dims !== undefined && { dims }) });
    return { job, does: `adds the vectors of ${to}` };
  }
  const { chunking, sparse, storage } = profileOf(options);
  const profile = {
    ...(chunking !== undefined && { chunking }),
    ...(sparse !== undefined && { sparse }),
    ...(storage !== undefined && { storage }),
    ...(lateInteraction !== undefined && {
      lateInteraction: lateInteraction === 'none' ? null : lateInteractionOf(lateInteraction),
    }),
  };
  const job = await client.migrations.begin(collection, { into: into ?? '', profile });
  return { job, does: `fills ${into} with the documents of ${collection}` };
}

function outcomeOf(collection: string, { name, profile, other, twin }: Collection): string {
  if (twin !== undefined) return `searches use ${name}; ${twin.name} is kept in sync`;
  const kept = other === undefined ? '' : `; those of ${other.model} are kept in sync`;
  return `searches of ${collection} use the vectors of ${profile.model}${kept}`;
}

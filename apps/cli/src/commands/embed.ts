import { Option, type Command } from 'commander';
import { PRIORITIES, sourceFormatSchema } from '@embedmill/jobs';
import type { CommandHost, Context } from '../command-host.ts';
import { usageError, type ExitCode } from '../exit.ts';
import { exitCodeOfJob, jobReport } from '../job-report.ts';
import { columnsOf, delimiterOf, encodingOf, maxFailuresOf, metadataOf } from '../option-values.ts';
import { outputFileOf, receiveOutput } from '../output-file.ts';
import {
  addProfileOptions,
  embeddingProfileOf,
  withLanguage,
  type ProfileOptions,
} from '../profile-options.ts';
import { submitFiles, type FileOptions } from '../submitted-files.ts';
import { bytes, grouped } from '../text.ts';

interface EmbedOptions extends ProfileOptions, FileOptions {
  to: string;
  job?: string;
}

export function addEmbed(program: Command, host: CommandHost): void {
  const command = program
    .command('embed')
    .description('embed documents to a file: no collection, nothing is stored')
    .argument(
      '[files...]',
      'as "submit" takes them: NDJSON, CSV, TSV or Parquet, folders, patterns, URLs, s3://bucket/key; "-" reads from standard input',
    )
    .requiredOption(
      '--to <file>',
      'FILE.ndjson, FILE.ndjson.gz or FILE.parquet, here or, as s3://bucket/key, where the server writes it: a row a chunk, with its vectors',
    )
    .option(
      '--source <where>',
      'what the server reads itself, beside files: also a path there, or a folder/; may come several times',
      (where: string, others: string[] = []) => [...others, where],
    )
    .addOption(
      new Option('--format <format>', 'what the name does not say').choices(sourceFormatSchema.options),
    )
    .option('--columns <field=column,…>', 'which column is which field, as in id=sku,text=body', columnsOf)
    .option('--metadata <column,…>', 'the columns that become metadata, or rest for all others', metadataOf)
    .option('--delimiter <character>', 'of CSV; found by itself by default', delimiterOf)
    .option('--encoding <name>', 'of CSV and NDJSON, such as windows-1252; UTF-8 by default', encodingOf)
    .option('--list-separator <text>', 'what stands between entries of a list in a cell of a CSV')
    .addOption(
      new Option(
        '--priority <priority>',
        'before which of your other jobs it comes; normal by default',
      ).choices(PRIORITIES),
    )
    .option(
      '--max-failures <n>',
      'stop the job once more documents failed; a share as 5% or 0.05',
      maxFailuresOf,
    )
    .option('--job <id>', 'fetch the file of this job, which was begun before');
  addProfileOptions(command).action((files: string[], options: EmbedOptions) =>
    host.run((context) => embed(context, files, options)),
  );
}

async function embed(
  context: Context,
  files: readonly string[],
  { to, job: begun, ...options }: EmbedOptions,
): Promise<ExitCode> {
  const { terminal } = context;
  const output = await outputFileOf(to);
  const client = context.client();
  if (begun !== undefined && files.length > 0)
    throw usageError('--job fetches the file of a job that was begun before: name no files');
  const { id } =
    begun === undefined
      ? await submitFiles(
          context,
          client,
          { output, profile: embeddingProfileOf(await withLanguage(options)) },
          files,
          options,
        )
      : { id: begun };
  if (begun === undefined) terminal.note(`job ${id}`);
  const received = await receiveOutput(context, client, { id, to, format: output.format, again: 'embed' });
  const { job, where, size } = received;
  if (terminal.json) terminal.printJson({ ...jobReport(job), to });
  terminal.print(
    `${grouped(job.stored)} documents are in ${where}, ${grouped(job.chunks)} rows, ${bytes(size)}`,
  );
  if (job.failed > 0) {
    terminal.print(
      `${grouped(job.failed)} failed and are not in it: see them with "embedmill failures ${id}"`,
    );
  }
  return exitCodeOfJob(job);
}

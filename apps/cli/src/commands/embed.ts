import type { Command } from 'commander';
import type { CommandHost, Context } from '../command-host.ts';
import { usageError, type ExitCode } from '../exit.ts';
import { exitCodeOfJob, jobReport } from '../documents/job-report.ts';
import { outputFileOf, receiveOutput } from '../documents/output-file.ts';
import {
  addProfileOptions,
  embeddingProfileOf,
  withLanguage,
  type ProfileOptions,
} from '../options/profile-options.ts';
import { addFileOptions, submitFiles, type FileOptions } from '../documents/submitted-files.ts';
import { bytes, grouped } from '../terminal/text.ts';

interface EmbedOptions extends ProfileOptions, FileOptions {
  to: string;
  job?: string;
}

export function addEmbed(program: Command, host: CommandHost): void {
  const command = program
    .command('embed')
    .description('embed documents into a file, without a collection')
    .argument(
      '[files...]',
      'as for "submit": NDJSON, CSV, TSV or Parquet, folders, patterns, URLs, s3://bucket/key; "-" reads standard input',
    )
    .requiredOption(
      '--to <file>',
      'FILE.ndjson, FILE.ndjson.gz or FILE.parquet, local, or s3://bucket/key written by the server; one row per chunk, with its vectors',
    );
  addFileOptions(command).option('--job <id>', 'fetch the file of this earlier job');
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
    throw usageError('--job fetches the file of an earlier job; leave out the files');
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
    `wrote ${grouped(job.stored)} documents to ${where}: ${grouped(job.chunks)} rows, ${bytes(size)}`,
  );
  if (job.failed > 0) {
    terminal.print(
      `${grouped(job.failed)} documents failed and are not in it; list them with "embedmill failures ${id}"`,
    );
  }
  return exitCodeOfJob(job);
}

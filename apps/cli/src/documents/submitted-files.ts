import { Option, type Command } from 'commander';
import { PRIORITIES, type Job, type Reading, type SourceFormat } from '@embedmill/jobs';
import type { Client, JobOptions, JobTarget, ServerSource } from '@embedmill/client';
import type { Context } from '../command-host.ts';
import { usageError } from '../exit.ts';
import { filesToSubmit, formOf, isPlace, passedOver, type FilesToSubmit } from './files-to-submit.ts';
import { maxFailuresOf } from '../options/option-values.ts';
import { addReadingOptions } from '../options/reading-options.ts';
import { ProgressDisplay } from '../terminal/progress.ts';
import { bytes } from '../terminal/text.ts';
import { documentSource, isFile, submitDocuments } from './document-source.ts';

/** Options for files and their job. */
export interface FileOptions extends Reading, JobOptions {
  /** Sources that the server reads itself. */
  source?: string[];
  format?: SourceFormat;
}

/** The options of commands that submit files: `FileOptions`, as far as all of them take it. */
export function addFileOptions(command: Command): Command {
  command.option(
    '--source <where>',
    'a further place that the server reads itself, also a path or folder/ on the server; can be repeated',
    (where: string, others: string[] = []) => [...others, where],
  );
  return addReadingOptions(command, 'the format, if the name does not show it')
    .addOption(
      new Option('--priority <priority>', 'its priority among your jobs; normal by default').choices(
        PRIORITIES,
      ),
    )
    .option(
      '--max-failures <n>',
      'stop the job once more documents than this have failed; or a share such as 5% or 0.05',
      maxFailuresOf,
    );
}

const NO_FILES: FilesToSubmit = { files: [], places: [], skipped: [] };

/** Submits what the arguments name as one job: files, folders and patterns here, places that the server reads. */
export async function submitFiles(
  { terminal, interruption }: Pick<Context, 'terminal' | 'interruption'>,
  client: Client,
  target: JobTarget,
  args: readonly string[],
  { source: sources = [], format, ...said }: FileOptions,
): Promise<Job> {
  const { columns, metadata, delimiter, encoding, listSeparator } = said;
  const reading: Reading = { columns, metadata, delimiter, encoding, listSeparator };
  const { webhook, priority, maxFailures, mode, sourceName, maxDeleted, dryRun } = said;
  const options = { webhook, priority, maxFailures, mode, sourceName, maxDeleted, dryRun };
  if (args.length + sources.length === 0) throw usageError('give a file, or a --source');
  if (args.includes('-') && args.length + sources.length > 1)
    throw usageError('standard input cannot be combined with files');
  const name = sources.find((source) => /^[\p{L}\p{N}_-]+$/u.test(source));
  if (name !== undefined && args.length > 0 && sourceName === undefined) {
    const advice = `to name the source of these files, use --source-name ${name}; for a folder on the server, use --source ${name}/`;
    throw usageError(`--source ${name} is a place that the server reads itself; ${advice}`);
  }
  const places = [...sources, ...args.filter(isPlace)];
  if (args.every(isPlace))
    return client.submitSource(target, { ...sourceAt(places), format, ...reading }, options);
  const [only = '-'] = args;
  const isOne = args.length === 1 && places.length === 0 && (await isFile(only));
  const one = isOne ? await documentSource(only, { format }) : undefined;
  if (only === '-' && format === 'document')
    throw usageError('a document on standard input has no name; submit it as a file');
  // A document is identified by its name, which the form carries.
  const lines = one?.format === 'document' ? undefined : one;
  const found = lines === undefined ? await filesToSubmit(args, format) : NO_FILES;
  if (found.skipped.length > 0) terminal.note(`${passedOver(found.skipped)}; skipping them`);
  const source = lines ?? formOf({ ...found, places });
  const progress = new ProgressDisplay(terminal);
  const of = source.size === undefined ? '' : ` of ${bytes(source.size)}`;
  return submitDocuments(client, target, source, {
    ...options,
    signal: interruption.signal,
    reading: lines === undefined ? { ...reading, format } : reading,
    onSent: (sent) => progress.uploading(`sending: ${bytes(sent)}${of}`),
    onRetry: (error) => terminal.note(`${error.message}; retrying`),
  }).finally(() => progress.close());
}

/** One object, URL or path, which is read in place, or many; a place that ends with a slash means many. */
function sourceAt(places: readonly string[]): ServerSource {
  const [where = ''] = places;
  if (places.length > 1 || where.endsWith('/')) return { files: [...places] };
  if (where.startsWith('s3://')) return { s3: where };
  return isPlace(where) ? { url: where } : { path: where };
}

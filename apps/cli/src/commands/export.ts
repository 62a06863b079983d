import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { outputFormatSchema, type OutputFormat } from '@embedmill/jobs';
import type { CommandHost, Context } from '../command-host.ts';
import { downloadOutput } from '../download.ts';
import { CommandError, EXIT, usageError, type ExitCode } from '../exit.ts';
import { filterOf } from '../filter-option.ts';
import { followWithProgress, jobReport } from '../job-report.ts';
import { ProgressDisplay } from '../progress.ts';
import { bytes } from '../text.ts';

interface ExportOptions {
  to: string;
  vectors?: boolean;
  filter?: string;
  tenant?: string;
  job?: string;
}

export function addExport(program: Command, host: CommandHost): void {
  program
    .command('export')
    .description('write the documents of a collection to a file, or their points with vectors')
    .argument('<collection>')
    .requiredOption(
      '--to <file>',
      'FILE.ndjson, FILE.ndjson.gz or FILE.parquet, here or, as s3://bucket/key, where the server writes it',
    )
    .option('--vectors', 'a row for each chunk with its vectors, in place of one for each document')
    .option('--filter <json>', 'which documents, as searches take it')
    .option('--tenant <name>', 'whose documents')
    .option('--job <id>', 'fetch the file of this export, which was begun before')
    .action((collection: string, options: ExportOptions) =>
      host.run((context) => exportCollection(context, collection, options)),
    );
}

async function exportCollection(
  context: Context,
  collection: string,
  { to, vectors = false, filter: given, tenant, job: begun }: ExportOptions,
): Promise<ExitCode> {
  const { terminal, interruption } = context;
  const filter = given === undefined ? undefined : filterOf(given);
  const format = formatOf(to);
  const isRemote = to.startsWith('s3://');
  if (!isRemote) await assertFolder(to);
  const client = context.client();
  const { id } =
    begun === undefined
      ? await client.export(collection, { format, vectors, filter, tenant, ...(isRemote && { to }) })
      : { id: begun };
  if (begun === undefined) terminal.note(`job ${id}`);
  try {
    const job = await followWithProgress(context, client, id);
    const { output } = job;
    if (output === null || job.state !== 'completed') {
      const reason = job.error === null ? 'it was not completed' : `${job.error.code}: ${job.error.message}`;
      throw new CommandError(`the export ${id} is ${job.state}: ${reason}`);
    }
    if (output.format !== format) {
      throw usageError(`the export ${id} is ${output.format}; name the file so`);
    }
    if (output.to === null) {
      const progress = new ProgressDisplay(terminal);
      const onReceived = (received: number) =>
        progress.uploading(`receiving: ${bytes(received)} of ${bytes(output.bytes)}`);
      await downloadOutput(client, { job: id, bytes: output.bytes }, to, {
        signal: interruption.signal,
        onReceived,
      }).finally(() => progress.close());
    }
    if (terminal.json) terminal.printJson({ ...jobReport(job), to });
    terminal.print(`${job.stored} documents are in ${output.to ?? to}, ${bytes(output.bytes)}`);
    return EXIT.ok;
  } catch (error) {
    if (interruption.by !== undefined) {
      terminal.note(
        `the export goes on; fetch it with: embedmill export ${collection} --to ${to} --job ${id}`,
      );
    }
    throw error;
  }
}

function formatOf(to: string): OutputFormat {
  const name = to.toLowerCase().replace(/\.jsonl(\.gz)?$/, '.ndjson$1');
  // The longest name first: what ends in .ndjson.gz is not .ndjson.
  const formats = outputFormatSchema.options.toSorted((a, b) => b.length - a.length);
  const format = formats.find((one) => name.endsWith(`.${one}`));
  if (format !== undefined) return format;
  throw usageError(
    `${to} has to end in ${formats.map((one) => `.${one}`).join(', ')}, which is how it is written`,
  );
}

/** Better said before the export than after it. */
async function assertFolder(to: string): Promise<void> {
  const folder = dirname(resolve(to));
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) throw usageError(`${folder} is no folder; make it first`);
}

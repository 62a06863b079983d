import type { Command } from 'commander';
import type { CommandHost, Context } from '../command-host.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { filterOf } from '../options/filter-option.ts';
import { jobReport } from '../documents/job-report.ts';
import { outputFileOf, receiveOutput } from '../documents/output-file.ts';
import { bytes } from '../terminal/text.ts';

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
    .description('export the documents of a collection, or its chunks with their vectors, to a file')
    .argument('<collection>')
    .requiredOption(
      '--to <file>',
      'FILE.ndjson, FILE.ndjson.gz or FILE.parquet, local, or s3://bucket/key written by the server',
    )
    .option('--vectors', 'one row per chunk with its vectors, instead of one per document')
    .option('--filter <json>', 'only documents that match, in the syntax of searches')
    .option('--tenant <name>', 'whose documents')
    .option('--job <id>', 'fetch the file of this earlier export')
    .action((collection: string, options: ExportOptions) =>
      host.run((context) => exportCollection(context, collection, options)),
    );
}

async function exportCollection(
  context: Context,
  collection: string,
  { to, vectors = false, filter: given, tenant, job: begun }: ExportOptions,
): Promise<ExitCode> {
  const { terminal } = context;
  const filter = given === undefined ? undefined : filterOf(given);
  const output = await outputFileOf(to);
  const client = context.client();
  const { id } =
    begun === undefined
      ? await client.beginExport(collection, { ...output, vectors, filter, tenant })
      : { id: begun };
  if (begun === undefined) terminal.note(`job ${id}`);
  const again = `export ${collection}`;
  const { job, where, size } = await receiveOutput(context, client, { id, to, format: output.format, again });
  if (terminal.json) terminal.printJson({ ...jobReport(job), to });
  terminal.print(`wrote ${job.stored} documents to ${where}, ${bytes(size)}`);
  return EXIT.ok;
}

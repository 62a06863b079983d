import type { Command } from 'commander';
import type { Job } from '@embedmill/jobs';
import type { Client } from '@embedmill/client';
import type { CommandHost, Context } from '../command-host.ts';
import { EXIT, usageError } from '../exit.ts';
import { reportDryRun } from '../documents/dry-run.ts';
import { jobReport, waitForJob } from '../documents/job-report.ts';
import { maxDeletedOf, webhookOf } from '../options/option-values.ts';
import { addFileOptions, submitFiles, type FileOptions } from '../documents/submitted-files.ts';

interface SubmitOptions extends Omit<FileOptions, 'webhook' | 'mode'> {
  collection: string;
  sync?: boolean;
  wait?: boolean;
  webhook?: string;
  webhookFailures?: string;
}

export function addSubmit(program: Command, host: CommandHost): void {
  const command = program
    .command('submit')
    .description('submit documents as a bulk job')
    .argument(
      '[files...]',
      'NDJSON (one document per line), CSV, TSV or Parquet, optionally gzipped, or one JSON array; folders; patterns; places that the server reads itself: URLs, s3://bucket/key, s3://bucket/prefix/; "-" reads standard input',
    )
    .requiredOption('-c, --collection <name>', 'the target collection');
  addFileOptions(command)
    .option(
      '--source-name <name>',
      'the source of documents that do not name one; a --sync covers one source',
    )
    .option('--sync', 'a full snapshot of the source: delete its other documents afterwards')
    .option(
      '--max-deleted <share>',
      'the most documents of the source that a --sync may delete; with more, it deletes none (default: 30%)',
      maxDeletedOf,
    )
    .option('--dry-run', 'store and delete nothing; report what would be added, changed and deleted')
    .option('--wait', 'follow the job to its end')
    .option(
      '--webhook <url>',
      'URL to notify when the job ends, by a POST signed with EMBEDMILL_WEBHOOK_SECRET (Standard Webhooks)',
    )
    .option(
      '--webhook-failures <n>',
      'also notify it when this many documents have failed; or a share such as 5% or 0.05',
    )
    .action((files: string[], options: SubmitOptions) =>
      host.run(async (context) => {
        const { terminal } = context;
        const client = context.client();
        const job = await submit(context, client, files, options);
        if (options.dryRun === true) return reportDryRun(context, client, job.id);
        if (options.wait === true) {
          terminal.note(`job ${job.id}`);
          return waitForJob(context, client, job.id);
        }
        if (terminal.json) terminal.printJson(jobReport(job));
        terminal.print(`accepted job ${job.id}; follow it with: embedmill watch ${job.id}`);
        return EXIT.ok;
      }),
    );
}

async function submit(
  context: Context,
  client: Client,
  args: readonly string[],
  { collection, sync = false, maxDeleted, webhook: url, webhookFailures, ...files }: SubmitOptions,
): Promise<Job> {
  const webhook = webhookOf(url, webhookFailures, context.config.webhookSecret);
  if (maxDeleted !== undefined && !sync) throw usageError('--max-deleted works only with --sync');
  const mode = sync ? ('snapshot' as const) : undefined;
  return submitFiles(context, client, collection, args, { ...files, webhook, mode, maxDeleted });
}

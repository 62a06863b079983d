import type { Command } from 'commander';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';
import { jobReport, waitForJob } from '../job-report.ts';
import { ProgressDisplay } from '../progress.ts';
import { bytes } from '../text.ts';
import { documentSource, submitDocuments } from '../upload.ts';

export function addSubmit(program: Command, host: CommandHost): void {
  program
    .command('submit')
    .description('submit documents as a bulk job')
    .argument(
      '<file>',
      'NDJSON, one document a line, or one JSON array; "-" reads NDJSON from standard input',
    )
    .requiredOption('-c, --collection <name>', 'where they go')
    .option('--wait', 'follow the job to its end')
    .action((file: string, { collection, wait }: { collection: string; wait?: boolean }) =>
      host.run(async (context) => {
        const { terminal, interruption } = context;
        const client = context.client();
        const source = await documentSource(file);
        const progress = new ProgressDisplay(terminal);
        const of = source.size === undefined ? '' : ` of ${bytes(source.size)}`;
        const job = await submitDocuments(client, collection, source, {
          signal: interruption.signal,
          onSent: (sent) => progress.uploading(`sending: ${bytes(sent)}${of}`),
          onRetry: (error) => terminal.note(`${error.message}; trying again`),
        }).finally(() => progress.close());
        if (wait === true) {
          terminal.note(`job ${job.id}`);
          return waitForJob(context, client, job.id);
        }
        if (terminal.json) terminal.printJson(jobReport(job));
        terminal.print(`job ${job.id} is accepted; follow it with: embedmill watch ${job.id}`);
        return EXIT.ok;
      }),
    );
}

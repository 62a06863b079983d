import type { Command } from 'commander';
import type { CommandHost } from '../command-host.ts';
import { EXIT, usageError } from '../exit.ts';
import { jobReport, waitForJob } from '../job-report.ts';
import { integerBetween } from '../option-values.ts';

interface MigrateOptions {
  to?: string;
  dims?: number;
  wait?: true;
  exchange?: true;
  end?: true;
}

export function addMigrate(program: Command, host: CommandHost): void {
  program
    .command('migrate')
    .description('give a collection the vectors of another model: --to, then --exchange, then --end')
    .argument('<collection>')
    .option('--to <model>', 'add its vectors to what is stored, by a job; searches stay as they are')
    .option('--dims <n>', 'with --to: a smaller size of its vectors', integerBetween(1, 65_536))
    .option('--wait', 'with --to: until the job has finished')
    .option('--exchange', 'searches use the other vectors: cut over, or roll back')
    .option('--end', 'drop the vectors that searches do not use')
    .action((collection: string, { to, dims, wait, exchange, end }: MigrateOptions) =>
      host.run(async (context) => {
        const { client, terminal } = context;
        if ([to, exchange, end].filter((one) => one !== undefined).length !== 1)
          throw usageError('say one of --to MODEL, --exchange and --end');
        if (to !== undefined) {
          const job = await client().beginMigration(collection, {
            model: to,
            ...(dims !== undefined && { dims }),
          });
          if (wait === true) return waitForJob(context, client(), job.id);
          if (terminal.json) terminal.printJson(jobReport(job));
          terminal.print(`job ${job.id} adds the vectors of ${to}; watch it with: embedmill watch ${job.id}`);
          return EXIT.ok;
        }
        const view = await (exchange
          ? client().exchangeVectors(collection)
          : client().endMigration(collection));
        if (terminal.json) terminal.printJson({ collection: view });
        const other = view.other === undefined ? '' : `; those of ${view.other.model} are kept beside them`;
        terminal.print(`searches of ${collection} use the vectors of ${view.profile.model}${other}`);
        return EXIT.ok;
      }),
    );
}

import { Option, type Command } from 'commander';
import { USAGE_DIMENSIONS } from '@embedmill/jobs';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';
import { grouped, table } from '../terminal/text.ts';

interface UsageOptions {
  from?: string;
  to?: string;
  by?: string;
  format: 'table' | 'csv';
}

export function addUsage(program: Command, host: CommandHost): void {
  program
    .command('usage')
    .description('report usage: documents, tokens, engine seconds and cost')
    .option('--from <day>', 'the first day in UTC, such as 2026-11-01; by default 29 days before the last')
    .option('--to <day>', 'the last day in UTC; today by default')
    .option(
      '--by <what,…>',
      `what to group by: ${USAGE_DIMENSIONS.join(', ')}; day,tenant,collection,model by default`,
    )
    .addOption(new Option('--format <format>', 'output format').choices(['table', 'csv']).default('table'))
    .action(({ from, to, by, format }: UsageOptions) =>
      host.run(async ({ client, terminal }) => {
        const asked = {
          ...(from !== undefined && { from }),
          ...(to !== undefined && { to }),
          ...(by !== undefined && { groupBy: by }),
        };
        if (format === 'csv') {
          terminal.print((await client().usage.csv(asked)).trimEnd());
          return EXIT.ok;
        }
        const report = await client().usage.report(asked);
        if (terminal.json) terminal.printJson(report);
        const { groupBy, rows, total } = report;
        const numbers = ({ documents, tokens, engineSeconds, cost }: typeof total): string[] => [
          grouped(documents),
          grouped(tokens),
          engineSeconds.toFixed(1),
          cost === null ? '' : cost.toFixed(2),
        ];
        const head = [
          ...groupBy.map((name) => name.toUpperCase()),
          'DOCUMENTS',
          'TOKENS',
          'ENGINE S',
          'COST',
        ];
        const lines = rows.map((row) => [...groupBy.map((name) => row[name] ?? '-'), ...numbers(row)]);
        const sum =
          groupBy.length === 0
            ? []
            : [[...groupBy.map((_, n) => (n === 0 ? 'total' : '')), ...numbers(total)]];
        const right = [0, 1, 2, 3].map((n) => groupBy.length + n);
        if (rows.length === 0) terminal.print(`there was no usage from ${report.from} to ${report.to}`);
        else for (const line of table([head, ...lines, ...sum], right)) terminal.print(line);
        return EXIT.ok;
      }),
    );
}

import { Option, type Command } from 'commander';
import type { Source } from '@embedmill/client';
import {
  PRIORITIES,
  type MaxFailures,
  type Priority,
  type Reading,
  type Schedule,
  type SourceFormat,
  type SourceRun,
} from '@embedmill/jobs';
import type { CommandHost } from '../command-host.ts';
import { EXIT, usageError } from '../exit.ts';
import { maxDeletedOf, maxFailuresOf } from '../options/option-values.ts';
import { addReadingOptions } from '../options/reading-options.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { grouped, oneLine, table } from '../terminal/text.ts';

interface AddOptions extends Reading {
  collection: string;
  every?: string;
  cron?: string;
  timezone?: string;
  format?: SourceFormat;
  priority?: Priority;
  maxFailures?: MaxFailures;
  sync: boolean;
  maxDeleted?: number;
}

export function addWatchSource(program: Command, host: CommandHost): void {
  const sources = program
    .command('watch-source')
    .description(
      'manage sources on the server that are checked on a schedule and submitted when they change',
    );
  const named = (name: string, description: string): Command =>
    sources
      .command(name)
      .description(description)
      .argument('<name>')
      .requiredOption('-c, --collection <name>', 'the target collection');

  const add = named('add', 'watch a source, or change its settings')
    .argument(
      '<place...>',
      'a place that the server reads: a local folder or file, s3://bucket/prefix/, s3://bucket/key, or a URL',
    )
    .option('--every <time>', 'interval, such as 15m, 6h or 1d')
    .option('--cron <expression>', 'cron expression, such as "0 3 * * *"')
    .option('--timezone <name>', 'time zone of --cron, such as Europe/Berlin (default: UTC)');
  addReadingOptions(add, 'the format, if file names do not show it')
    .addOption(
      new Option('--priority <priority>', 'priority of its jobs (default: normal)').choices(PRIORITIES),
    )
    .option('--no-sync', 'keep documents that the source no longer has; by default they are deleted')
    .option(
      '--max-deleted <share>',
      'the most of its documents that a job may delete; with more, it deletes none (default: 30%)',
      maxDeletedOf,
    )
    .option(
      '--max-failures <n>',
      'stop a job when more documents than this have failed; or a share such as 5%',
      maxFailuresOf,
    )
    .action((name: string, files: string[], options: AddOptions) =>
      host.run(async ({ client, terminal }) => {
        const { collection, every, cron, timezone, sync, ...how } = options;
        if (!sync && how.maxDeleted !== undefined) throw usageError('--max-deleted works only with a sync');
        const mode = sync ? ('snapshot' as const) : ('upsert' as const);
        const source = { files, schedule: scheduleOf(every, cron, timezone), mode, ...how };
        print(terminal, await client().sources.watch(collection, name, source));
        return EXIT.ok;
      }),
    );

  sources
    .command('list')
    .description('list the watched sources of a collection')
    .requiredOption('-c, --collection <name>', 'whose')
    .action(({ collection }: { collection: string }) =>
      host.run(async ({ client, terminal }) => {
        const found = await client().sources.list(collection);
        if (terminal.json) terminal.printJson({ sources: found });
        else if (found.length === 0) terminal.print('no watched sources');
        else {
          const head = ['SOURCE', 'WHEN', 'LAST LOOK (UTC)', 'OUTCOME', 'JOB', 'NEXT (UTC)'];
          const rows = found.map((one) => {
            const [last] = one.runs;
            return [
              one.name,
              whenOf(one),
              timeOf(last?.at),
              last?.outcome ?? '',
              last?.job ?? '',
              timeOf(one.nextAt),
            ];
          });
          for (const line of table([head, ...rows], [])) terminal.print(line);
        }
        return EXIT.ok;
      }),
    );

  named('show', 'show a watched source and its latest runs').action(
    (name: string, { collection }: { collection: string }) =>
      host.run(async ({ client, terminal }) => {
        print(terminal, await client().sources.get(collection, name));
        return EXIT.ok;
      }),
  );

  named('run', 'check a source now').action((name: string, { collection }: { collection: string }) =>
    host.run(async ({ client, terminal }) => {
      const source = await client().sources.run(collection, name);
      if (terminal.json) terminal.printJson(source);
      terminal.print(
        `checking it; see the result with: embedmill watch-source show ${name} -c ${collection}`,
      );
      return EXIT.ok;
    }),
  );

  named('remove', 'stop watching a source; its stored documents are kept').action(
    (name: string, { collection }: { collection: string }) =>
      host.run(async ({ client, terminal }) => {
        await client().sources.remove(collection, name);
        if (terminal.json) terminal.printJson({ removed: name });
        terminal.print(`${name} is no longer watched`);
        return EXIT.ok;
      }),
  );
}

function scheduleOf(
  every: string | undefined,
  cron: string | undefined,
  timezone: string | undefined,
): Schedule {
  if ((every === undefined) === (cron === undefined)) throw usageError('say --every or --cron');
  if (every === undefined) return { cron: cron ?? '', timezone };
  if (timezone !== undefined) throw usageError('--timezone works only with --cron');
  return { every };
}

function print(terminal: Terminal, source: Source): void {
  if (terminal.json) return terminal.printJson(source);
  const { name, collection, files, nextAt, runs, addedBy } = source;
  terminal.print(`${name}: ${files.join(', ')}`);
  terminal.print(`  into ${collection}, ${whenOf(source)}, as ${addedBy}; next ${timeOf(nextAt)} UTC`);
  for (const run of runs) terminal.print(`  ${timeOf(run.at)}  ${oneLine(lineOf(run))}`);
}

function lineOf({ outcome, job, files, added, changed, removed, error }: SourceRun): string {
  switch (outcome) {
    case 'submitted':
      return `submitted as ${job}: of ${grouped(files)} files ${grouped(added)} new, ${grouped(changed)} changed, ${grouped(removed)} gone`;
    case 'unchanged':
      return `nothing has changed in ${grouped(files)} files`;
    case 'waiting':
      return 'its last job has not ended';
    case 'failed':
      return `${error?.code}: ${error?.message}`;
  }
}

function whenOf({ schedule }: Source): string {
  if ('every' in schedule) return `every ${schedule.every}`;
  return `cron ${schedule.cron} ${schedule.timezone ?? 'UTC'}`;
}

function timeOf(time: string | null | undefined): string {
  return time === undefined || time === null ? 'never' : time.slice(0, 16).replace('T', ' ');
}

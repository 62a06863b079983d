import type { Command } from 'commander';
import { filterSchema, type Filter } from '@embedmill/jobs';
import type { CommandHost } from '../command-host.ts';
import { EXIT, usageError } from '../exit.ts';
import { hitLines } from '../hits.ts';
import { integerBetween } from '../option-values.ts';

interface SearchOptions {
  limit: number;
  offset: number;
  filter?: string;
  tenant?: string;
}

export function addSearch(program: Command, host: CommandHost): void {
  program
    .command('search')
    .description('the documents of a collection that are closest in meaning')
    .argument('<collection>')
    .argument('<query...>', 'what to look for, in words')
    .option('--limit <n>', 'how many at most', integerBetween(1, 1000), 10)
    .option('--offset <n>', 'how many to pass over', integerBetween(0, 10_000), 0)
    .option(
      '--filter <json>',
      'a condition on metadata: {"field":"year","gte":1990}, with and, or, not, eq, in …',
    )
    .option('--tenant <name>', 'only documents of this tenant')
    .action((collection: string, words: string[], { limit, offset, filter, tenant }: SearchOptions) =>
      host.run(async ({ client, terminal }) => {
        const query = words.join(' ').trim();
        if (query === '') throw usageError('the query is empty; say what to look for');
        const hits = await client().search(collection, {
          ...{ query, limit, offset },
          ...(filter !== undefined && { filter: filterOf(filter) }),
          ...(tenant !== undefined && { tenant }),
        });
        if (terminal.json) terminal.printJson({ hits });
        else if (hits.length === 0) terminal.note('no hits');
        for (const line of hitLines(hits, terminal)) terminal.print(line);
        return EXIT.ok;
      }),
    );
}

function filterOf(given: string): Filter {
  let value: unknown;
  try {
    value = JSON.parse(given);
  } catch (error) {
    throw usageError(
      `--filter is not JSON (${(error as Error).message}); an example: {"field":"year","gte":1990}`,
    );
  }
  const parsed = filterSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw usageError(
    '--filter is not a condition; examples: {"field":"lang","eq":"en"}, {"and":[…]}, {"not":…}',
  );
}

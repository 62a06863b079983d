import { readFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import {
  SPARSE_SCHEMES,
  type Example,
  type Fusion,
  type Hit,
  type RecommendRequest,
  type SearchRequest,
  type SearchRequestInput,
  type SparseScheme,
} from '@embedmill/jobs';
import type { CommandHost } from '../command-host.ts';
import { EXIT, usageError } from '../exit.ts';
import { filterOf } from '../options/filter-option.ts';
import { hitLines } from '../terminal/hits.ts';
import { integerBetween, schemesOf } from '../options/option-values.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface SelectionOptions {
  limit: number;
  offset: number;
  filter?: string;
  tenant?: string;
  group?: true;
}

interface SearchOptions extends SelectionOptions {
  mode?: SearchRequest['mode'];
  sparse?: SparseScheme[];
  fusion?: Fusion['method'];
  rerank?: true | string;
  and?: string[];
  image?: string;
  prompt?: string;
  instruction?: string;
  explain?: true;
  highlight?: true;
}

export function addSearch(program: Command, host: CommandHost): void {
  withSelection(
    program
      .command('search')
      .description('search a collection by meaning, by words, or by both')
      .argument('<collection>')
      .argument('[query...]', 'what to look for, in words')
      .addOption(
        new Option('--mode <mode>', 'hybrid by default if the collection has sparse vectors').choices([
          'dense',
          'sparse',
          'hybrid',
        ]),
      )
      .option('--sparse <schemes>', `which sparse vectors: ${SPARSE_SCHEMES.join(', ')}`, schemesOf)
      .addOption(
        new Option('--fusion <method>', 'how to fuse the lists: by scores (the default) or by ranks').choices(
          ['dbsf', 'rrf'],
        ),
      )
      .option('--rerank [model]', 'rerank the best hits; without a model, by late interaction')
      .option('--and <query...>', 'more queries; all hits are fused')
      .option('--image <file>', 'search a collection of images by this image')
      .option('--prompt <name>', 'prefix the query with this prompt of the model')
      .option('--instruction <text>', 'an instruction, for models that take one')
      .option('--highlight', 'mark the query’s words')
      .option('--explain', 'show which words matched and how much each contributed'),
  ).action((collection: string, words: string[], options: SearchOptions) =>
    host.run(async ({ client, terminal }) => {
      const { hits } = await client().search(collection, {
        ...(await questionOf(words, options)),
        ...selectionOf(options),
        ...(options.mode !== undefined && { mode: options.mode }),
        ...(options.sparse !== undefined && { sparse: options.sparse }),
        ...(options.fusion !== undefined && { fusion: { method: options.fusion } }),
        ...(options.rerank !== undefined && { rerank: options.rerank === true || { model: options.rerank } }),
        ...(options.prompt !== undefined && { prompt: options.prompt }),
        ...(options.instruction !== undefined && { instruction: options.instruction }),
        highlight: options.highlight ?? false,
        explain: options.explain ?? false,
      });
      printHits(hits, terminal);
      return EXIT.ok;
    }),
  );
}

export function addLike(program: Command, host: CommandHost): void {
  withSelection(
    program
      .command('like')
      .description('find documents that resemble some examples and not others')
      .argument('<collection>')
      .argument('<examples...>', 'texts, or documents as id:ID')
      .option('--unlike <examples...>', 'examples that hits should not resemble, as texts or id:ID')
      .addOption(
        new Option('--strategy <name>', 'close to the average of the examples, or to any of them')
          .choices(['average', 'best'])
          .default('average'),
      ),
  ).action(
    (
      collection: string,
      examples: string[],
      options: SelectionOptions & { unlike?: string[]; strategy: RecommendRequest['strategy'] },
    ) =>
      host.run(async ({ client, terminal }) => {
        const { hits } = await client().recommend(collection, {
          positive: examples.map(exampleOf),
          negative: (options.unlike ?? []).map(exampleOf),
          strategy: options.strategy,
          ...selectionOf(options),
        });
        printHits(hits, terminal);
        return EXIT.ok;
      }),
  );
}

function withSelection(command: Command): Command {
  return command
    .option('--limit <n>', 'the maximum number', integerBetween(1, 1000), 10)
    .option('--offset <n>', 'how many to skip', integerBetween(0, 10_000), 0)
    .option(
      '--filter <json>',
      'a condition on metadata: {"field":"year","gte":1990}, with eq, in, exists, missing, prefix, text, geo; and, or, not',
    )
    .option('--tenant <name>', 'only documents of this tenant')
    .option('--group', 'one hit per document');
}

function selectionOf({ limit, offset, filter, tenant, group }: SelectionOptions) {
  return {
    limit,
    offset,
    group: group ?? false,
    ...(filter !== undefined && { filter: filterOf(filter) }),
    ...(tenant !== undefined && { tenant }),
  };
}

async function questionOf(
  words: string[],
  { and, image }: SearchOptions,
): Promise<Pick<SearchRequestInput, 'query' | 'queries' | 'image'>> {
  const query = words.join(' ').trim();
  if (image !== undefined) {
    if (query !== '' || and !== undefined)
      throw usageError('--image cannot be combined with a query in words');
    return { image: await dataUriOf(image) };
  }
  if (query === '') throw usageError('the query is empty; give the words to search for');
  return and === undefined ? { query } : { queries: [query, ...and].map((one) => ({ query: one })) };
}

async function dataUriOf(file: string): Promise<string> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw usageError(`${file} cannot be read: ${(error as Error).message}`);
  });
  return `data:application/octet-stream;base64,${bytes.toString('base64')}`;
}

const exampleOf = (given: string): Example =>
  given.startsWith('id:') ? { id: given.slice(3) } : { text: given };

function printHits(hits: readonly Hit[], terminal: Terminal): void {
  if (terminal.json) terminal.printJson({ hits });
  else if (hits.length === 0) terminal.note('no hits');
  for (const line of hitLines(hits, terminal)) terminal.print(line);
}

import { Option, type Command } from 'commander';
import type { z } from 'zod';
import {
  chunkingSchema,
  collectionNameSchema,
  filterableTypeSchema,
  SPARSE_SCHEMES,
  type FilterableType,
  type Language,
  type Profile,
  type profileSchema,
  type SparseScheme,
} from '@embedmill/jobs';
import type { CollectionView } from '../client.ts';
import type { CommandHost } from '../command-host.ts';
import { EXIT, usageError } from '../exit.ts';
import { LANGUAGES_SAID, languageOf, languageOfFile, modelReading } from '../language-choice.ts';
import { integerBetween, schemesOf } from '../option-values.ts';
import { grouped, oneLine, table } from '../text.ts';

interface CreateOptions {
  model?: string;
  chunkSize?: number;
  overlap?: number;
  boundary?: string;
  /** False with --no-chunking. */
  chunking: boolean;
  filterable?: string[];
  sparse?: SparseScheme[];
  language?: Language;
  /** A file that tells the language. */
  sample?: string;
  dims?: number;
  storage?: Profile['storage'];
}

export function addCollections(program: Command, host: CommandHost): void {
  const collections = program.command('collections').description('create, list, show and delete collections');

  collections
    .command('create')
    .description('create a collection; without options, with a profile that suits most texts')
    .argument('<name>', '1 to 63 of a-z, 0-9, "_" and "-"')
    .option('--model <name>', 'the dense model (see "embedmill models")')
    .option(
      '--chunk-size <tokens>',
      'tokens a chunk at most; by default what the model reads',
      integerBetween(16, 8192),
    )
    .option('--overlap <tokens>', 'tokens that a chunk repeats of the one before', integerBetween(0, 4096))
    .addOption(
      new Option('--boundary <kind>', 'where a chunk ends when it can').choices([
        'content',
        'paragraph',
        'sentence',
        'word',
      ]),
    )
    .option(
      '--sparse <schemes>',
      `sparse vectors for searches by words, separated by commas: ${SPARSE_SCHEMES.join(', ')}`,
      schemesOf,
    )
    .option(
      '--language <name>',
      `what the texts are in: ${LANGUAGES_SAID}; chooses the model, and bm25 with its words, where --model and --sparse do not`,
      languageOf,
    )
    .option('--sample <file>', 'finds the language in a file’s first documents')
    .option('--dims <n>', 'a smaller size of vectors, where the model has one', integerBetween(1, 65_536))
    .addOption(
      new Option('--storage <kind>', 'how the store keeps vectors for its first look').choices([
        'float32',
        'int8',
        'binary',
      ]),
    )
    .option('--no-chunking', 'one vector a document; what the model cannot read is cut off, and reported')
    .option(
      '--filterable <field:type...>',
      `metadata that search can filter on: ${filterableTypeSchema.options.join(', ')}`,
    )
    .action((name: string, options: CreateOptions) =>
      host.run(async ({ client, terminal }) => {
        const checked = collectionNameSchema.safeParse(name);
        if (!checked.success) throw usageError(`the name "${name}" ${checked.error.issues[0]?.message}`);
        const chosen = await withLanguage(options);
        const view = await client().createCollection(name, profileOf(chosen));
        if (terminal.json) terminal.printJson({ collection: view });
        terminal.print(`collection ${view.name}: ${describe(view)}`);
        if (chosen.language !== undefined) {
          const why = options.language === undefined ? ` ${options.sample ?? ''} seems to be in it;` : '';
          terminal.print(
            `for the language ${chosen.language}:${why} --language, --model and --sparse choose others`,
          );
        }
        return EXIT.ok;
      }),
    );

  collections
    .command('list', { isDefault: true })
    .description('all collections')
    .action(() =>
      host.run(async ({ client, terminal }) => {
        const all = await client().collections();
        if (terminal.json) terminal.printJson({ collections: all });
        else if (all.length === 0)
          terminal.print('no collections yet; make one with: embedmill collections create NAME');
        const rows = all.map((view) => [
          view.name,
          grouped(view.documents),
          grouped(view.points),
          view.profile.model,
          String(view.dims),
        ]);
        if (all.length > 0) {
          for (const line of table([['NAME', 'DOCUMENTS', 'POINTS', 'MODEL', 'DIMS'], ...rows], [1, 2, 4]))
            terminal.print(line);
        }
        return EXIT.ok;
      }),
    );

  collections
    .command('show')
    .description('one collection with its profile')
    .argument('<name>')
    .action((name: string) =>
      host.run(async ({ client, terminal }) => {
        const view = await client().collection(name);
        if (terminal.json) terminal.printJson({ collection: view });
        terminal.print(`collection ${view.name}: ${describe(view)}`);
        for (const line of countLines(view)) terminal.print(line);
        terminal.print(JSON.stringify(view.profile, null, 2));
        return EXIT.ok;
      }),
    );

  collections
    .command('add-field')
    .description(
      'make a field of the metadata filterable, also in what is stored, and report values that do not fit',
    )
    .argument('<name>')
    .argument('<field:type>', `one of the types ${filterableTypeSchema.options.join(', ')}`)
    .action((name: string, given: string) =>
      host.run(async ({ client, terminal }) => {
        const [field, type] = fieldAndType(given);
        const report = await client().addField(name, field, type, (points, of) =>
          terminal.note(`${grouped(points)} of ${grouped(of)} points looked through`),
        );
        if (terminal.json) terminal.printJson(report);
        const { values, misfits, examples } = report;
        terminal.print(`${field} is filterable as ${type}; ${grouped(values)} documents have a value`);
        if (misfits > 0) {
          terminal.print(`${grouped(misfits)} have one of another type, by which filters do not find them:`);
          const rows = examples.map(({ id, tenant, value }) => [
            oneLine(id),
            oneLine(tenant),
            oneLine(JSON.stringify(value)),
          ]);
          for (const line of table([['ID', 'TENANT', 'VALUE'], ...rows])) terminal.print(line);
          if (misfits > examples.length) terminal.print(`and ${grouped(misfits - examples.length)} more`);
        }
        return EXIT.ok;
      }),
    );

  collections
    .command('delete')
    .description('delete a collection with all its vectors, and cancel its jobs')
    .argument('<name>')
    .action((name: string) =>
      host.run(async ({ client, terminal }) => {
        await client().deleteCollection(name);
        if (terminal.json) terminal.printJson({ deleted: name });
        terminal.print(`collection ${name} is deleted`);
        return EXIT.ok;
      }),
    );
}

/** The options with what goes by a language, where it is said or found. */
async function withLanguage(options: CreateOptions): Promise<CreateOptions> {
  const { sample, sparse } = options;
  const language = options.language ?? (sample === undefined ? undefined : await languageOfFile(sample));
  if (language === undefined) return options;
  const model = options.model ?? modelReading(language);
  return { ...options, language, sparse: sparse ?? ['bm25'], ...(model !== undefined && { model }) };
}

/** Only what was asked for: the server fills in the rest. */
export function profileOf(options: CreateOptions): z.input<typeof profileSchema> {
  const { model, chunkSize, overlap, boundary, chunking, filterable, dims, storage } = options;
  const cutting = { size: chunkSize, overlap, boundary };
  const asked = Object.fromEntries(Object.entries(cutting).filter(([, value]) => value !== undefined));
  const cuts = Object.keys(asked).length > 0;
  if (!chunking && cuts)
    throw usageError('--no-chunking goes with none of --chunk-size, --overlap, --boundary');
  const mode = chunking ? { mode: 'tokens', ...asked } : { mode: 'document' };
  return {
    ...(model !== undefined && { model }),
    ...((cuts || !chunking) && { chunking: chunkingSchema.parse(mode) }),
    ...(dims !== undefined && { dims }),
    ...(storage !== undefined && { storage }),
    ...(options.sparse !== undefined && { sparse: sparseOf(options.sparse, options.language) }),
    ...(filterable !== undefined && { filterable: Object.fromEntries(filterable.map(fieldAndType)) }),
  };
}

function sparseOf(schemes: readonly SparseScheme[], language: Language | undefined) {
  const read = language === undefined ? {} : { language };
  return Object.fromEntries(schemes.map((scheme) => [scheme, scheme === 'splade' ? {} : read]));
}

function fieldAndType(given: string): [field: string, type: FilterableType] {
  const [field = '', type = ''] = given.split(':', 2);
  const known = filterableTypeSchema.safeParse(type);
  if (field === '' || !known.success) {
    throw usageError(
      `--filterable ${given}: write it as field:type, with one of the types ${filterableTypeSchema.options.join(', ')}`,
    );
  }
  return [field, known.data];
}

/** Documents of each tenant and source, where there are several. */
function countLines({ tenants = [], sources = [] }: CollectionView): string[] {
  const lines = (title: string, counts: [string, number][]) =>
    counts.length < 2
      ? []
      : table([[title, 'DOCUMENTS'], ...counts.map(([name, n]) => [oneLine(name), grouped(n)])], [1]);
  return [
    ...lines(
      'TENANT',
      tenants.map(({ tenant, documents }) => [tenant, documents]),
    ),
    ...lines(
      'SOURCE',
      sources.map(({ source, documents }) => [source ?? '(none)', documents]),
    ),
  ];
}

function describe({ documents, points, dims, profile, other }: CollectionView): string {
  const sparse = SPARSE_SCHEMES.filter((scheme) => profile.sparse[scheme] !== undefined);
  const schemes = sparse.length === 0 ? '' : `, ${sparse.join(', ')}`;
  const migrating = other === undefined ? '' : `; second vector: ${other.model}, ${other.dims} dims`;
  return `${grouped(documents)} documents, ${grouped(points)} points, ${profile.model}, ${dims} dims${schemes}${migrating}`;
}

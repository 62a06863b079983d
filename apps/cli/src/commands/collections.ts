import { Option, type Command } from 'commander';
import type { z } from 'zod';
import {
  collectionNameSchema,
  filterableTypeSchema,
  layoutSchema,
  LEAST_BINARY,
  SPARSE_SCHEMES,
  type CollectionLayout,
  type FilterableType,
  type Profile,
  type profileSchema,
} from '@embedmill/jobs';
import type { Collection, CountedCollection, FieldReport } from '@embedmill/client';
import type { CommandHost } from '../command-host.ts';
import { EXIT, usageError } from '../exit.ts';
import { lateInteractionOf, layoutOf, poolFactorOf } from '../options/option-values.ts';
import {
  addProfileOptions,
  embeddingProfileOf,
  withLanguage,
  type ProfileOptions,
} from '../options/profile-options.ts';
import { grouped, oneLine, table } from '../terminal/text.ts';

interface CreateOptions extends ProfileOptions {
  filterable?: string[];
  storage?: Profile['storage'];
  layout?: CollectionLayout;
  lateInteraction?: number | true;
}

export function addCollections(program: Command, host: CommandHost): void {
  const collections = program.command('collections').description('create, list, show and delete collections');
  addCreate(collections, host);
  addList(collections, host);
  addShow(collections, host);
  addFieldAddition(collections, host);
  addDeletion(collections, host);
}

function addCreate(collections: Command, host: CommandHost): void {
  const create = collections
    .command('create')
    .description('create a collection; the default profile suits most texts')
    .argument('<name>', '1 to 63 of a-z, 0-9, "_" and "-"');
  addProfileOptions(create)
    .addOption(
      new Option('--storage <kind>', 'how the store keeps vectors for its first pass').choices([
        'float32',
        'int8',
        'binary',
      ]),
    )
    .option(
      '--late-interaction [factor]',
      'store token vectors for reranking, one for every 1 to 4 tokens (default: 2)',
      poolFactorOf,
    )
    .option(
      '--layout <name=value>',
      `how Qdrant keeps it, in place of the settings: ${Object.keys(layoutSchema.shape).join(', ')}, separated by commas`,
      layoutOf,
    )
    .option(
      '--filterable <field:type...>',
      `metadata that search can filter on: ${filterableTypeSchema.options.join(', ')}`,
    )
    .action((name: string, options: CreateOptions) =>
      host.run(async ({ client, terminal }) => {
        const checked = collectionNameSchema.safeParse(name);
        if (!checked.success) throw usageError(`the name "${name}" ${checked.error.issues[0]?.message}`);
        const chosen = await withLanguage(options);
        const view = await client().collections.create(name, profileOf(chosen));
        if (terminal.json) terminal.printJson({ collection: view });
        terminal.print(`collection ${view.name}: ${describe(view)}`);
        if (view.profile.storage === 'binary' && view.dims < LEAST_BINARY)
          terminal.note(
            `binary vectors of fewer than ${LEAST_BINARY} numbers miss some of the nearest neighbours; --storage int8 misses almost none`,
          );
        if (chosen.language !== undefined) {
          const why = options.language === undefined ? ` ${options.sample ?? ''} seems to be in it;` : '';
          terminal.print(
            `for the language ${chosen.language}:${why} override with --language, --model and --sparse`,
          );
        }
        return EXIT.ok;
      }),
    );
}

function addList(collections: Command, host: CommandHost): void {
  collections
    .command('list', { isDefault: true })
    .description('list all collections')
    .action(() =>
      host.run(async ({ client, terminal }) => {
        const all = await client().collections.list();
        if (terminal.json) terminal.printJson({ collections: all });
        else if (all.length === 0)
          terminal.print('no collections yet; create one with: embedmill collections create NAME');
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
}

function addShow(collections: Command, host: CommandHost): void {
  collections
    .command('show')
    .description('show one collection with its profile')
    .argument('<name>')
    .action((name: string) =>
      host.run(async ({ client, terminal }) => {
        const view = await client().collections.get(name);
        if (terminal.json) terminal.printJson({ collection: view });
        terminal.print(`collection ${view.name}: ${describe(view)}`);
        for (const line of countLines(view)) terminal.print(line);
        terminal.print(JSON.stringify(view.profile, null, 2));
        return EXIT.ok;
      }),
    );
}

function addFieldAddition(collections: Command, host: CommandHost): void {
  collections
    .command('add-field')
    .description(
      'make a metadata field filterable, also for stored documents, and report values that do not fit',
    )
    .argument('<name>')
    .argument('<field:type>', `one of the types ${filterableTypeSchema.options.join(', ')}`)
    .action((name: string, given: string) =>
      host.run(async ({ client, terminal }) => {
        const [field, type] = fieldAndType(given);
        const report = await client().collections.addField(name, field, type, {
          onProgress: (points, of) => terminal.note(`${grouped(points)} of ${grouped(of)} points checked`),
        });
        if (terminal.json) terminal.printJson(report);
        const { values, misfits, examples } = report;
        terminal.print(`${field} is filterable as ${type}; ${grouped(values)} documents have a value`);
        for (const line of misfitLines(misfits, examples)) terminal.print(line);
        return EXIT.ok;
      }),
    );
}

function addDeletion(collections: Command, host: CommandHost): void {
  collections
    .command('delete')
    .description('delete a collection with all its vectors and cancel its jobs')
    .argument('<name>')
    .action((name: string) =>
      host.run(async ({ client, terminal }) => {
        await client().collections.delete(name);
        if (terminal.json) terminal.printJson({ deleted: name });
        terminal.print(`collection ${name} is deleted`);
        return EXIT.ok;
      }),
    );
}

/** Reports values that filters do not find; empty if there are none. */
function misfitLines(misfits: number, examples: FieldReport['examples']): string[] {
  if (misfits === 0) return [];
  const rows = examples.map(({ id, tenant, value }) => [
    oneLine(id),
    oneLine(tenant),
    oneLine(JSON.stringify(value)),
  ]);
  return [
    `${grouped(misfits)} have a value of another type, so filters do not find them:`,
    ...table([['ID', 'TENANT', 'VALUE'], ...rows]),
    ...(misfits > examples.length ? [`and ${grouped(misfits - examples.length)} more`] : []),
  ];
}

/** Only the given options; the server sets the rest. */
export function profileOf(options: CreateOptions): z.input<typeof profileSchema> {
  const { filterable, storage, layout } = options;
  const lateInteraction = lateInteractionOf(options.lateInteraction);
  return {
    ...embeddingProfileOf(options),
    ...(storage !== undefined && { storage }),
    ...(layout !== undefined && { layout }),
    ...(lateInteraction !== undefined && { lateInteraction }),
    ...(filterable !== undefined && { filterable: Object.fromEntries(filterable.map(fieldAndType)) }),
  };
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

/** Documents by tenant and source, if there are several. */
function countLines({ tenants = [], sources = [] }: Partial<CountedCollection>): string[] {
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

function describe({ documents, points, dims, profile, other }: Collection): string {
  const sparse = SPARSE_SCHEMES.filter((scheme) => profile.sparse[scheme] !== undefined);
  const schemes = sparse.length === 0 ? '' : `, ${sparse.join(', ')}`;
  const { lateInteraction } = profile;
  const tokens =
    lateInteraction === undefined ? '' : `, one vector for every ${tokensOf(lateInteraction.poolFactor)}`;
  const migrating = other === undefined ? '' : `; second vector: ${other.model}, ${other.dims} dims`;
  return `${grouped(documents)} documents, ${grouped(points)} points, ${profile.model}, ${dims} dims${schemes}${tokens}${migrating}`;
}

const tokensOf = (poolFactor: number): string => (poolFactor === 1 ? 'token' : `${poolFactor} tokens`);

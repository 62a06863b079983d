import { existsSync, statSync } from 'node:fs';
import { Option, type Command } from 'commander';
import {
  addModel,
  assertNameIsFree,
  readModelAt,
  resolveFound,
  type DownloadProgress,
  type ModelEntry,
  type ModelFacts,
  type ModelPlace,
} from '@embedmill/models';
import type { CommandHost, Context } from '../command-host.ts';
import { EXIT, usageError, type ExitCode } from '../exit.ts';
import { tryModel } from '../doctor/model-trial.ts';
import { modelFolders } from '../models-folder.ts';
import { integerBetween } from '../options/option-values.ts';
import { bytes } from '../terminal/text.ts';

interface AddOptions {
  name?: string;
  file?: string;
  pooling?: 'mean' | 'cls' | 'last' | 'graph';
  maxTokens?: number;
  dims?: number;
  queryPrefix?: string;
  documentPrefix?: string;
}

const REPOSITORY = /^(?<repository>[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:@(?<revision>[\w./-]+))?$/;

export function addModelsAdd(models: Command, host: CommandHost): void {
  models
    .command('add')
    .argument('<place>', 'owner/name[@revision] of the hub, or a folder')
    .description('read a model’s files, try the model, and add it to models.json')
    .option('--name <name>', 'its name in collections')
    .option('--file <path>', 'the ONNX file to use')
    .addOption(
      new Option('--pooling <kind>', 'if its files do not say').choices(['mean', 'cls', 'last', 'graph']),
    )
    .option('--max-tokens <number>', 'if its files do not say', integerBetween(8, 131_072))
    .option('--dims <number>', 'if its files do not say', integerBetween(1, 65_536))
    .option('--query-prefix <text>', 'prefix of queries')
    .option('--document-prefix <text>', 'prefix of documents')
    .action((place: string, options: AddOptions) => host.run((context) => add(place, options, context)));
}

async function add(place: string, options: AddOptions, context: Context): Promise<ExitCode> {
  const { terminal, interruption, environment } = context;
  const { name, file, pooling, maxTokens, dims, queryPrefix, documentPrefix } = options;
  const said: ModelFacts = {
    ...(pooling !== undefined && { pooling }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(dims !== undefined && { dims }),
    ...(queryPrefix !== undefined && { queryPrefix }),
    ...(documentPrefix !== undefined && { documentPrefix }),
  };
  const folders = modelFolders(context);
  const told = {
    ...folders,
    hubUrl: environment['EMBEDMILL_HUB_URL'] || undefined,
    signal: interruption.signal,
    onProgress: progressOf(context),
  };
  const found = await readModelAt(placeOf(place), { name, file, said }, told);
  await assertNameIsFree(found, folders.modelsDir);
  for (const line of linesOf(found.entry)) terminal.print(line);
  const tried = await tryModel(await resolveFound(found, told));
  terminal.print(`tried    ${tried}`);
  const path = await addModel(found, folders.modelsDir);
  terminal.print(`added    ${found.entry.name} to ${path}; other machines with workers also need it`);
  terminal.print(`use it   embedmill collections create NAME --model ${found.entry.name}`);
  if (terminal.json) terminal.printJson({ model: found.entry, tried, path });
  return EXIT.ok;
}

/** What is a folder here is one; what has the form of a repository is that. */
function placeOf(place: string): ModelPlace {
  if (existsSync(place) && statSync(place).isDirectory()) return { kind: 'folder', path: place };
  const { repository, revision } = REPOSITORY.exec(place)?.groups ?? {};
  if (repository === undefined)
    throw usageError(`there is no folder ${place}; give a folder, or a repository as owner/name[@revision]`);
  return { kind: 'hub', repository, revision };
}

function linesOf(entry: ModelEntry): string[] {
  const { source, kind, dims, maxTokens, license, prompts, queryPrefix, documentPrefix } = entry;
  const from =
    source.kind === 'hub' ? `${source.repository} at ${source.revision}` : `folder ${source.folder}`;
  const how =
    entry.kind === 'dense'
      ? [
          `pooling ${entry.pooling}`,
          ...(entry.padding === 'left' ? ['padded on the left'] : []),
          ...(entry.adapters === undefined
            ? []
            : [`adapters ${entry.adapters.query} for queries, ${entry.adapters.document} for documents`]),
          ...entry.projections.map(({ activation }) => `Dense (${activation})`),
          entry.normalize ? 'normalized' : 'not normalized',
        ]
      : [];
  const prefixes = [
    ...(queryPrefix === '' ? [] : [`queries ${JSON.stringify(queryPrefix)}`]),
    ...(documentPrefix === '' ? [] : [`documents ${JSON.stringify(documentPrefix)}`]),
  ];
  const named = Object.keys(prompts);
  return [
    `found    ${entry.name}: ${from}, licence ${license}`,
    `         ${[`${kind}, ${dims} dims, ${maxTokens} tokens`, ...how].join(', ')}`,
    `         ${[entry.model.path, ...entry.data.map(({ path }) => path), entry.tokenizer.path].join(', ')}`,
    ...(prefixes.length === 0 ? [] : [`         prefixes: ${prefixes.join(', ')}`]),
    ...(named.length === 0 ? [] : [`         prompts: ${named.join(', ')}`]),
  ];
}

/** A line a file, as it begins. */
function progressOf({ terminal }: Context): (progress: DownloadProgress) => void {
  const begun = new Set<string>();
  return ({ file, totalBytes }) => {
    if (begun.has(file)) return;
    begun.add(file);
    terminal.warn(`downloading ${file}${totalBytes === undefined ? '' : `, ${bytes(totalBytes)}`}`);
  };
}

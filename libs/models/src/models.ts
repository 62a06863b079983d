import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { sizeOf } from './digest.ts';
import {
  modelEntrySchema,
  type HeadEntry,
  type ModelEntry,
  type ModelFile,
  type ModelKind,
  type Pooling,
  type VisionEntry,
} from './entry.ts';
import { entryInFolder, entryOfFolder, onnxFileOf, readJson } from './layout.ts';
import { FOLDER_OF, REGISTRY } from './registry.ts';

export interface ModelFolders {
  /** The user's folder: models.json with additional entries, and folders with models. */
  modelsDir?: string | undefined;
  /** The folder for downloaded models. */
  cacheDir: string;
  /** The folder of the models that come with embedmill; this repository's by default. */
  bundledDir?: string | undefined;
}

/** Where an entry's files are expected. `local` files belong to the user and need no digest. */
export interface ModelLocation {
  kind: 'bundled' | 'local' | 'cache';
  folder: string;
  /** Absolute paths, with the model's and the tokenizer's actual file names. */
  model: string;
  tokenizer: string;
}

export interface ModelSummary {
  name: string;
  /** The location on the hub, if it comes from one. */
  repository?: string;
  kind: ModelKind;
  /** The dimensions of a dense vector; the vocabulary's size for a sparse model; 1 for a reranker. */
  dims: number;
  /** Smaller sizes to which its vectors may be truncated. */
  matryoshka: number[];
  maxTokens: number;
  /** For dense models. */
  pooling?: Pooling;
  /** Whether it outputs the attention that BM42 needs. */
  attentions: boolean;
  /** For dense models: whether it also outputs lexical weights, so that it is its own sparse model. */
  lexical: boolean;
  /** For dense models: whether it outputs the token vectors that late interaction needs. */
  tokenVectors: boolean;
  /** The prefixes that requests may name. */
  prompts: Readonly<Record<string, string>>;
  /** The prefix of queries with an instruction, if the model supports one. */
  instructionPrefix?: string;
  /** Whether it also embeds images. */
  images: boolean;
  bundled: boolean;
  /** Whether its files are in the models folder. */
  local: boolean;
  license: string;
  /** The languages it was trained for, as ISO 639 codes; `mul` means many. Undefined if not stated. */
  languages?: readonly string[];
  /** The size of its files, if all sizes are known. */
  bytes?: number;
  /** Whether it works without a network: it is bundled with workers, or its files are on this machine. */
  available: boolean;
}

const userEntriesSchema = z.array(modelEntrySchema);

/** The same path from libs/models/src and from apps/<app>/dist, into which this file is bundled. */
const BUNDLED = join(import.meta.dirname, '../../../models');

/**
 * The entry of a name: first from the user's models.json, then from the registry with the overrides in the
 * embedmill.json of a folder of that name, then from a folder of that name in the models folder. Throws
 * `model_not_found`, or `model_unavailable` if what the user wrote is unusable.
 */
export async function findModel(name: string, folders: ModelFolders): Promise<ModelEntry> {
  const entries = await entriesOf(folders);
  const found = entries.get(name);
  if (found !== undefined) return found;
  const { modelsDir } = folders;
  if (modelsDir !== undefined && (await modelFolders(modelsDir)).includes(name)) {
    return entryOfFolder(modelsDir, name);
  }
  throw new EmbedmillError(
    'model_not_found',
    `there is no model ${JSON.stringify(name)}; there are ${[...entries.keys()].join(', ')}, and folders of EMBEDMILL_MODELS_DIR${
      modelsDir === undefined ? ' (not set)' : ''
    }`,
  );
}

/** All available models by name, without unusable folders. */
export async function listModels(folders: ModelFolders): Promise<ModelSummary[]> {
  const entries = await entriesOf(folders);
  const { modelsDir } = folders;
  for (const folder of modelsDir === undefined ? [] : await modelFolders(modelsDir)) {
    if (entries.has(folder) || modelsDir === undefined) continue;
    const entry = await entryOfFolder(modelsDir, folder).catch(() => undefined);
    if (entry !== undefined && (await isThere(entry, folders))) entries.set(folder, entry);
  }
  const summaries = [...entries.values()].map(async (listed): Promise<ModelSummary> => {
    const location = await locate(listed, folders);
    const { kind } = location;
    const entry = await withHeadsThere(listed, location);
    return {
      name: entry.name,
      ...(entry.source.kind === 'hub' ? { repository: entry.source.repository } : {}),
      kind: entry.kind,
      dims: entry.dims,
      matryoshka: entry.matryoshka,
      maxTokens: entry.maxTokens,
      ...(entry.kind === 'dense' ? { pooling: entry.pooling } : {}),
      attentions: entry.attentions,
      lexical: entry.kind === 'dense' && entry.lexical !== undefined,
      tokenVectors: entry.kind === 'dense' && entry.perToken && visionOf(entry) === undefined,
      prompts: entry.prompts,
      ...(entry.instructionPrefix === undefined ? {} : { instructionPrefix: entry.instructionPrefix }),
      images: visionOf(entry) !== undefined,
      bundled: kind === 'bundled',
      local: kind === 'local',
      license: entry.license,
      ...(entry.languages === undefined ? {} : { languages: entry.languages }),
      ...sizeOfFiles(entry),
      available: kind === 'bundled' || (await isThere(entry, folders)),
    };
  });
  return (await Promise.all(summaries)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The location of an entry's files, present or not. If the user put a hub model's files in the models folder (with the
 * hub's paths, or flat), they are used from there.
 */
export async function locate(entry: ModelEntry, folders: ModelFolders): Promise<ModelLocation> {
  const { source } = entry;
  const at = (kind: ModelLocation['kind'], folder: string): ModelLocation => ({
    kind,
    folder,
    model: join(folder, entry.model.path),
    tokenizer: join(folder, entry.tokenizer.path),
  });
  switch (source.kind) {
    case 'bundled':
      return at('bundled', join(folders.bundledDir ?? BUNDLED, source.folder));
    case 'local':
      return at('local', join(folders.modelsDir ?? '.', source.folder));
    case 'hub': {
      const local = await localCopy(entry, folders.modelsDir);
      return local ?? at('cache', join(folders.cacheDir, ...source.repository.split('/'), source.revision));
    }
  }
}

async function localCopy(
  entry: ModelEntry,
  modelsDir: string | undefined,
): Promise<ModelLocation | undefined> {
  if (modelsDir === undefined) return undefined;
  const folder = join(modelsDir, FOLDER_OF.get(entry.name) ?? entry.name);
  const onnx =
    (await sizeOf(join(folder, entry.model.path))) === undefined
      ? await onnxFileOf(folder)
      : entry.model.path;
  if (onnx === undefined) return undefined;
  for (const tokenizer of [entry.tokenizer.path, 'tokenizer.json']) {
    if ((await sizeOf(join(folder, tokenizer))) === undefined) continue;
    return { kind: 'local', folder, model: join(folder, onnx), tokenizer: join(folder, tokenizer) };
  }
  return undefined;
}

/** The part of a model that embeds images, if it has one. */
export function visionOf(entry: ModelEntry): VisionEntry | undefined {
  return entry.kind === 'dense' ? entry.vision : undefined;
}

/** A model's layers in separate files: projections, then heads. */
export function layersOf(entry: ModelEntry): ModelFile[] {
  if (entry.kind !== 'dense') return [];
  const { projections, lexical, tokenVectors } = entry;
  const heads = [lexical, tokenVectors].flatMap((head) =>
    head !== undefined && 'weights' in head ? [head.weights] : [],
  );
  return [...projections.map(({ weights }) => weights), ...heads];
}

/**
 * An entry without the heads that are missing from the user's copy of a hub model. Such a copy is older than the heads,
 * and still outputs dense vectors.
 */
export async function withHeadsThere(
  entry: ModelEntry,
  { kind, folder }: Pick<ModelLocation, 'kind' | 'folder'>,
): Promise<ModelEntry> {
  if (entry.kind !== 'dense' || entry.source.kind !== 'hub' || kind !== 'local') return entry;
  const there = async (head: HeadEntry | undefined) =>
    head !== undefined && 'weights' in head && (await sizeOf(join(folder, head.weights.path))) === undefined
      ? undefined
      : head;
  return { ...entry, lexical: await there(entry.lexical), tokenVectors: await there(entry.tokenVectors) };
}

/** The files of the model, of its parts, and of its tokenizer. */
function sizeOfFiles(entry: ModelEntry): { bytes?: number } {
  const files = [entry.model, ...entry.data, entry.tokenizer, ...layersOf(entry)];
  const sizes = files.flatMap(({ bytes }) => bytes ?? []);
  return sizes.length < files.length ? {} : { bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) };
}

async function isThere(named: ModelEntry, folders: ModelFolders): Promise<boolean> {
  const location = await locate(named, folders);
  const { kind, folder, model, tokenizer } = location;
  const entry = await withHeadsThere(named, location);
  const vision = visionOf(entry);
  const beside = [
    ...(kind === 'cache' ? entry.data : []),
    ...(vision === undefined ? [] : [vision.model]),
    ...layersOf(entry),
  ];
  const data = beside.map(({ path }) => join(folder, path));
  const sizes = await Promise.all([model, tokenizer, ...data].map(sizeOf));
  return sizes.every((size) => size !== undefined);
}

async function entriesOf({ modelsDir }: ModelFolders): Promise<Map<string, ModelEntry>> {
  const entries = new Map(REGISTRY.map((entry) => [entry.name, entry]));
  if (modelsDir === undefined) return entries;
  for (const folder of await modelFolders(modelsDir)) {
    const entry = entries.get(folder);
    const own = entry && (await entryInFolder(modelsDir, entry));
    if (own !== undefined) entries.set(folder, own);
  }
  const own = await readJson(join(modelsDir, 'models.json'), userEntriesSchema);
  for (const entry of own ?? []) entries.set(entry.name, entry);
  return entries;
}

async function modelFolders(modelsDir: string): Promise<string[]> {
  const found = await readdir(modelsDir, { withFileTypes: true }).catch((cause: unknown) => {
    throw new EmbedmillError(
      'model_unavailable',
      `EMBEDMILL_MODELS_DIR: cannot read the folder ${modelsDir}`,
      {
        cause,
      },
    );
  });
  return found.filter((one) => one.isDirectory() || one.isSymbolicLink()).map(({ name }) => name);
}

import { lstat, mkdir, readFile, readlink, rename, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { sizeOf } from './digest.ts';
import { ensureDownloaded } from './download.ts';
import { modelEntrySchema, sourceSchema, type ModelEntry, type ModelFacts, type ModelFile } from './entry.ts';
import { withLock } from './folder-lock.ts';
import { commitOf, treeOf, type HubTree } from './hub-api.ts';
import { entryOfFolder, onnxFileOf } from './layout.ts';
import { fileOf, offersIn } from './offers.ts';
import { REGISTRY } from './registry.ts';
import { hubOf, resolveEntry, type ResolvedModel, type ResolveOptions } from './resolve.ts';

/** The location of a model to add. */
export type ModelPlace =
  { kind: 'folder'; path: string } | { kind: 'hub'; repository: string; revision?: string | undefined };

export interface ModelWish {
  /** The model's name for collections; the repository's or the folder's name by default. */
  name?: string | undefined;
  /** The ONNX file to use; model.onnx by default. */
  file?: string | undefined;
  /** Facts that override those in its files. */
  said?: ModelFacts | undefined;
}

/** A model that was read but is not in any list yet. */
export interface FoundModel {
  entry: ModelEntry;
  /** For a folder outside the models folder: its path, to which a link in the models folder will point. */
  linkedTo: string | undefined;
}

type AddOptions = ResolveOptions & { modelsDir: string };

/**
 * The files from which an entry is read: what sentence-transformers writes about a model, and the layers after its
 * pooling.
 */
const LAYOUT =
  /^(?:(?:modules|config|sentence_bert_config|config_sentence_transformers|tokenizer_config)\.json|\d+_\w+\/config\.json|\d+_Dense\/model\.safetensors)$/;
/** The user's file of added models. */
const LIST = 'models.json';
const listSchema = z.array(z.looseObject({ name: z.string(), source: z.unknown() }));
const NO_ONNX =
  'has no ONNX file, which embedmill needs; export one with "optimum-cli export onnx", or use a repository that has one in onnx/';

/**
 * Creates a model's entry from the files that sentence-transformers writes. On a hub, a branch or tag is resolved to
 * its current commit. Errors: `model_unavailable` with what is missing; the hub's errors.
 */
export async function readModelAt(
  place: ModelPlace,
  wish: ModelWish,
  options: AddOptions,
): Promise<FoundModel> {
  switch (place.kind) {
    case 'folder':
      return inFolder(place.path, wish, options);
    case 'hub':
      return { entry: await onHub(place, wish, options), linkedTo: undefined };
  }
}

/** Resolves its files on this machine, to test the model. Errors: those of `resolveModel`. */
export function resolveFound({ entry, linkedTo }: FoundModel, options: AddOptions): Promise<ResolvedModel> {
  if (linkedTo === undefined) return resolveEntry(entry, options);
  const asItLies: ModelEntry = { ...entry, source: { kind: 'local', folder: basename(linkedTo) } };
  return resolveEntry(asItLies, { ...options, modelsDir: dirname(linkedTo) });
}

async function inFolder(
  path: string,
  { name = basename(resolve(path)), file, said }: ModelWish,
  { modelsDir }: AddOptions,
): Promise<FoundModel> {
  const folder = resolve(path);
  const onnx = file ?? (await onnxFileOf(folder));
  if (onnx === undefined || (await sizeOf(join(folder, onnx))) === undefined)
    throw new EmbedmillError(
      'model_unavailable',
      file === undefined ? `${folder} ${NO_ONNX}` : `${join(folder, file)} is missing`,
    );
  const read = await entryOfFolder(dirname(folder), basename(folder), { ...said, model: { path: onnx } });
  const entry = modelEntrySchema.parse({ ...read, name, source: { kind: 'local', folder: name } });
  return { entry, linkedTo: resolve(modelsDir, name) === folder ? undefined : folder };
}

async function onHub(
  { repository, revision: asked = 'main' }: Extract<ModelPlace, { kind: 'hub' }>,
  { name = basename(repository), file, said }: ModelWish,
  options: AddOptions,
): Promise<ModelEntry> {
  const { commit, license } = await commitOf(repository, asked, options);
  const tree = await treeOf(repository, commit, options);
  const { path, sha256, data } = onnxOf(tree, repository, file);
  const tokenizer = tree.find((one) => one.path === 'tokenizer.json');
  if (tokenizer === undefined)
    throw new EmbedmillError(
      'model_unavailable',
      `${repository} has no tokenizer.json, which embedmill needs`,
    );
  // The same folder as when the model is used: under its commit.
  const folder = join(options.cacheDir, ...repository.split('/'), commit);
  for (const one of tree.filter(({ type, path: at }) => type === 'file' && LAYOUT.test(at))) {
    const wanted = { ...hubOf(options), repository, revision: commit, path: one.path };
    const target = join(folder, ...one.path.split('/'));
    await ensureDownloaded(wanted, fileOf(one), target, { ...options, model: name });
  }
  const read = await entryOfFolder(dirname(folder), commit, said);
  return modelEntrySchema.parse({
    ...read,
    ...(read.license === 'unknown' ? { license } : {}),
    name,
    source: { kind: 'hub', repository, revision: commit },
    model: sha256 === undefined ? { path } : { path, sha256 },
    data,
    tokenizer: fileOf(tokenizer),
  });
}

/** The requested one of a repository's ONNX files. */
function onnxOf(
  tree: HubTree,
  repository: string,
  file: string | undefined,
): ModelFile & { data: ModelFile[] } {
  const offered = offersIn(tree);
  const usual = file === undefined ? ['onnx/model.onnx', 'model.onnx'] : [file];
  const found = usual.flatMap((path) => offered.find((one) => one.path === path) ?? []);
  const [chosen = file === undefined && offered.length === 1 ? offered[0] : undefined] = found;
  if (chosen !== undefined) return chosen;
  const names = offered.map(({ path }) => path).join(', ');
  const what =
    offered.length === 0 ? NO_ONNX : `has these ONNX files: ${names}; name one of them as the file`;
  throw new EmbedmillError('model_unavailable', `${repository} ${what}`);
}

/** Errors: `model_unavailable` if the name belongs to another model, or models.json is invalid. */
export async function assertNameIsFree(found: FoundModel, modelsDir: string): Promise<void> {
  await othersBeside(found, modelsDir);
}

/**
 * Writes a model to models.json in the models folder, and replaces an entry with the same name and source. Returns that
 * file's path. Errors: those of `assertNameIsFree`.
 */
export async function addModel(found: FoundModel, modelsDir: string): Promise<string> {
  const { entry, linkedTo } = found;
  const path = join(modelsDir, LIST);
  await mkdir(modelsDir, { recursive: true });
  await withLock(`${path}.lock`, undefined, async () => {
    const { others, isLinked } = await othersBeside(found, modelsDir);
    if (linkedTo !== undefined && !isLinked) await symlink(linkedTo, join(modelsDir, entry.name));
    await writeFile(`${path}.new`, `${JSON.stringify([...others, entry], null, 2)}\n`);
    await rename(`${path}.new`, path);
  });
  return path;
}

/**
 * The entries of other models, and whether the model's folder is already linked. Errors: if the name belongs to another
 * model.
 */
async function othersBeside(
  { entry, linkedTo }: FoundModel,
  modelsDir: string,
): Promise<{ others: { name: string }[]; isLinked: boolean }> {
  const text = await readFile(join(modelsDir, LIST), 'utf8').catch(() => '[]');
  const others = othersIn(text, entry, modelsDir);
  if (linkedTo === undefined) return { others, isLinked: false };
  const path = join(modelsDir, entry.name);
  const isThere = (await lstat(path).catch(() => undefined)) !== undefined;
  if (isThere && (await readlink(path).catch(() => undefined)) !== linkedTo) throw nameTaken(entry);
  return { others, isLinked: isThere };
}

/** All entries of a models.json except that of the same model. */
function othersIn(text: string, entry: ModelEntry, modelsDir: string): { name: string }[] {
  const parsed = listSchema.safeParse(jsonOf(text));
  if (!parsed.success)
    throw new EmbedmillError(
      'model_unavailable',
      `${join(modelsDir, LIST)} is not a list of models; fix it first`,
    );
  const same = parsed.data.find(({ name }) => name === entry.name);
  const isTaken =
    same === undefined ? REGISTRY.some(({ name }) => name === entry.name) : !isSameSource(same, entry);
  if (isTaken) throw nameTaken(entry);
  return parsed.data.filter(({ name }) => name !== entry.name);
}

function nameTaken({ name }: ModelEntry): EmbedmillError {
  return new EmbedmillError('model_unavailable', `the model ${name} already exists; choose another name`);
}

/** Whether both are the same repository or folder, at any commit. */
function isSameSource(one: { source: unknown }, { source }: ModelEntry): boolean {
  const key = source.kind === 'hub' ? source.repository : source.folder;
  const given = sourceSchema.safeParse(one.source).data;
  return given?.kind === source.kind && (given.kind === 'hub' ? given.repository : given.folder) === key;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

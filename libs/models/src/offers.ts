import { readdir } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { sizeOf } from './digest.ts';
import { pathSchema, type ModelEntry, type ModelFile } from './entry.ts';
import { treeOf, type HubTree } from './hub-api.ts';
import { findModel, locate, type ModelLocation } from './models.ts';
import type { ResolveOptions } from './resolve.ts';

/** One of a model's alternative ONNX files: another precision, or a graph that was optimized in advance. */
export interface OfferedFile extends ModelFile {
  bytes: number;
  /** Its weights, if they are in separate files. */
  data: ModelFile[];
}

/**
 * A model's available ONNX files, its entry's own first: in its repository at its commit, or in its folder. Throws
 * `model_not_found`, and `model_unavailable` if the hub cannot be reached.
 */
export async function offeredFiles(name: string, options: ResolveOptions): Promise<OfferedFile[]> {
  const entry = await findModel(name, options);
  const location = await locate(entry, options);
  const found = location.kind === 'cache' ? await inRepository(entry, options) : await inFolder(location);
  const own = entry.model.path;
  const isOwn = ({ path }: OfferedFile) => path === own || join(location.folder, path) === location.model;
  return [...found.filter(isOwn), ...found.filter((file) => !isOwn(file))];
}

async function inFolder({ folder }: ModelLocation): Promise<OfferedFile[]> {
  const names = await readdir(folder, { recursive: true });
  const paths = names.map((name) => name.split(sep).join('/')).filter(isPlain);
  const files = paths.filter((path) => path.endsWith('.onnx')).toSorted();
  const offered = files.map(async (path): Promise<OfferedFile[]> => {
    const bytes = await sizeOf(join(folder, path));
    return bytes === undefined ? [] : [{ path, bytes, data: [] }];
  });
  return (await Promise.all(offered)).flat();
}

async function inRepository(entry: ModelEntry, options: ResolveOptions): Promise<OfferedFile[]> {
  if (entry.source.kind !== 'hub') return [];
  const { repository, revision } = entry.source;
  return offersIn(await treeOf(repository, revision, options));
}

/** Excludes paths that an entry may not have, because they may lead out of the model's folder. */
const isPlain = (path: string): boolean => pathSchema.safeParse(path).success;

/** A file as the hub describes it. */
export function fileOf({ path, size, lfs }: HubTree[number]): ModelFile & { bytes: number } {
  return {
    path,
    bytes: size,
    ...(lfs === undefined ? {} : { sha256: lfs.oid }),
  };
}

/** The ONNX files of a repository. */
export function offersIn(tree: HubTree): OfferedFile[] {
  const files = tree.filter(({ type, path }) => type === 'file' && isPlain(path));
  return files
    .filter(({ path }) => path.endsWith('.onnx'))
    .map((file) => {
      // External data is next to its graph, in files whose names begin with the graph's.
      const data = files
        .filter(({ path }) => path !== file.path && path.startsWith(file.path))
        .filter(({ path }) => dirname(path) === dirname(file.path))
        .map(fileOf);
      const whole = fileOf(file);
      return { ...whole, bytes: data.reduce((sum, { bytes }) => sum + bytes, whole.bytes), data };
    });
}

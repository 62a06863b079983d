import { hash } from 'node:crypto';
import { join } from 'node:path';
import { EmbedmillError } from '@embedmill/jobs';
import { sha256Of, sizeOf } from './digest.ts';
import { ensureDownloaded, type DownloadOptions } from './download.ts';
import { pathSchema, type ModelEntry, type ModelFile } from './entry.ts';
import { DEFAULT_HUB } from './hub.ts';
import {
  findModel,
  layersOf,
  locate,
  visionOf,
  withHeadsThere,
  type ModelFolders,
  type ModelLocation,
} from './models.ts';

export interface ResolveOptions extends ModelFolders, Omit<DownloadOptions, 'model'> {
  /** A hub in the layout of Hugging Face, or a mirror of it; `https://huggingface.co` by default. */
  hubUrl?: string | undefined;
  /** A token for models that need one; the variable HF_TOKEN by default. Sent only to the hub's host. */
  hubToken?: string | undefined;
  /** An alternative ONNX file of the model, see `offeredFiles`. */
  file?:
    { readonly path: string; readonly sha256?: string | undefined; readonly data: ModelFile[] } | undefined;
}

/** A model whose files are on this machine and verified. */
export type ResolvedModel = ModelEntry & {
  modelPath: string;
  /** The size of its weights, wherever they are. */
  modelBytes: number;
  tokenizerPath: string;
  /** The commit it was downloaded at, or `sha256:` and the digest of the ONNX file and of any separate layers. */
  revision: string;
  /** The digest of the ONNX file (only the graph, if it has external data). */
  sha256: string;
  /** The path of the ONNX file for images, if the model embeds them. */
  visionPath: string | undefined;
  /** The paths of its layers' files on this machine, by their paths in the entry. */
  layerPaths: ReadonlyMap<string, string>;
};

/**
 * Resolves a model by its name, and downloads it if necessary. Every file with a known digest is verified once per
 * process.
 *
 * Throws `model_not_found`; `model_unavailable`, with what to put where, if the files are missing and cannot be
 * downloaded; `model_corrupt` if a file has the wrong content (a downloaded file is removed, so that the next attempt
 * downloads it again).
 */
export async function resolveModel(name: string, options: ResolveOptions): Promise<ResolvedModel> {
  return resolveEntry(await findModel(name, options), options);
}

/** Like `resolveModel`, for an entry that need not be in any list. */
export async function resolveEntry(own: ModelEntry, options: ResolveOptions): Promise<ResolvedModel> {
  const { file } = options;
  const strange = file && [file, ...file.data].find(({ path }) => !pathSchema.safeParse(path).success);
  if (strange !== undefined) {
    const message = `${JSON.stringify(strange.path)} is not the path of a file of ${own.name}; choose one listed by "embedmill bench --calibrate"`;
    throw new EmbedmillError('model_unavailable', message);
  }
  const wanted =
    file === undefined ? own : { ...own, model: { path: file.path, sha256: file.sha256 }, data: file.data };
  const location = await locate(wanted, options);
  const entry = await withHeadsThere(wanted, location);
  switch (location.kind) {
    case 'cache':
      await download(entry, location, options);
      break;
    case 'bundled':
      await verify(location.model, entry.model, options.signal);
      await verify(location.tokenizer, entry.tokenizer, options.signal);
      break;
    case 'local':
      await requireFile(location.model, entry);
      await requireFile(location.tokenizer, entry);
      break;
  }
  const vision = visionOf(entry);
  const visionPath = vision && join(location.folder, vision.model.path);
  if (vision !== undefined && visionPath !== undefined) {
    if (location.kind === 'bundled') await verify(visionPath, vision.model, options.signal);
    if (location.kind === 'local') await requireFile(visionPath, entry);
  }
  const layers = layersOf(entry);
  const layerPaths = new Map(layers.map(({ path }) => [path, join(location.folder, path)]));
  for (const layer of layers) {
    const path = join(location.folder, layer.path);
    if (location.kind === 'bundled') await verify(path, layer, options.signal);
    if (location.kind === 'local') await requireFile(path, entry);
  }
  const sha256 = await sha256Of(location.model, options.signal);
  const isAtCommit = location.kind === 'cache' && entry.source.kind === 'hub';
  return {
    ...entry,
    modelPath: location.model,
    modelBytes: await bytesOf(entry, location),
    tokenizerPath: location.tokenizer,
    revision:
      isAtCommit && entry.source.kind === 'hub'
        ? entry.source.revision
        : await digestsOf(sha256, [...layerPaths.values()], options.signal),
    sha256,
    visionPath,
    layerPaths,
  };
}

/** Identifies what a model's vectors depend on: its graph, and its layers in separate files. */
async function digestsOf(
  sha256: string,
  layers: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string> {
  if (layers.length === 0) return `sha256:${sha256}`;
  const digests = await Promise.all(layers.map((path) => sha256Of(path, signal)));
  return `sha256:${hash('sha256', [sha256, ...digests].join(' '))}`;
}

export function hubOf({ hubUrl, hubToken }: Pick<ResolveOptions, 'hubUrl' | 'hubToken'>): {
  hubUrl: string;
  token: string | undefined;
} {
  return { hubUrl: hubUrl ?? DEFAULT_HUB, token: hubToken ?? (process.env['HF_TOKEN'] || undefined) };
}

/** The size of the weights, in the graph or in separate files. */
async function bytesOf(entry: ModelEntry, { folder, model }: ModelLocation): Promise<number> {
  const paths = [model, ...entry.data.map(({ path }) => join(folder, path))];
  const sizes = await Promise.all(paths.map(sizeOf));
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
}

/** A model's entry and its tokenizer's file on this machine, for when something else runs the model. */
export type ResolvedTokenizer = ModelEntry & Pick<ResolvedModel, 'tokenizerPath'>;

/** Like `resolveModel`, without the weights. */
export async function resolveTokenizer(name: string, options: ResolveOptions): Promise<ResolvedTokenizer> {
  const entry = await findModel(name, options);
  const location = await locate(entry, options);
  switch (location.kind) {
    case 'cache':
      await download(entry, location, options, [entry.tokenizer]);
      break;
    case 'bundled':
      await verify(location.tokenizer, entry.tokenizer, options.signal);
      break;
    case 'local':
      await requireFile(location.tokenizer, entry);
      break;
  }
  return { ...entry, tokenizerPath: location.tokenizer };
}

async function download(
  entry: ModelEntry,
  location: ModelLocation,
  options: ResolveOptions,
  files = [entry.tokenizer, ...entry.data, entry.model, ...visionFiles(entry), ...layersOf(entry)],
): Promise<void> {
  if (entry.source.kind !== 'hub') return;
  const { repository, revision } = entry.source;
  const hub = hubOf(options);
  for (const file of files) {
    try {
      const target = join(location.folder, ...file.path.split('/'));
      const wanted = { ...hub, repository, revision, path: file.path };
      await ensureDownloaded(wanted, file, target, { ...options, model: entry.name });
    } catch (error) {
      if (!(error instanceof EmbedmillError) || error.code !== 'model_unavailable') throw error;
      const names = files.map(({ path }) => path).join(', ');
      throw new EmbedmillError(
        error.code,
        `${error.message}. Without a network, put ${names} of ${repository} at ${revision} into the folder ${entry.name} below EMBEDMILL_MODELS_DIR${
          options.modelsDir === undefined ? '' : ` (${options.modelsDir})`
        }`,
        { cause: error, ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }) },
      );
    }
  }
}

function visionFiles(entry: ModelEntry): ModelFile[] {
  const vision = visionOf(entry);
  return vision === undefined ? [] : [...vision.data, vision.model];
}

async function verify(path: string, expected: ModelFile, signal: AbortSignal | undefined): Promise<void> {
  if ((await sizeOf(path)) === undefined) {
    throw new EmbedmillError(
      'model_unavailable',
      `${path} is missing although embedmill includes it; reinstall embedmill`,
    );
  }
  const sha256 = await sha256Of(path, signal);
  if (expected.sha256 !== undefined && sha256 !== expected.sha256) {
    throw new EmbedmillError(
      'model_corrupt',
      `${path} has sha256 ${sha256} instead of ${expected.sha256}; reinstall embedmill`,
    );
  }
}

async function requireFile(path: string, entry: ModelEntry): Promise<void> {
  if ((await sizeOf(path)) !== undefined) return;
  throw new EmbedmillError(
    'model_unavailable',
    `${path} is missing, but the model ${entry.name} needs it; put it there, or name another file in its entry`,
  );
}

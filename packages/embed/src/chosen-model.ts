import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EmbedmillError } from '@embedmill/jobs';
import {
  findModel,
  readModelAt,
  REGISTRY,
  resolveFound,
  resolveModel,
  type ResolvedModel,
  type ResolveOptions,
} from '@embedmill/models';

/** Models are next to the bundle in a package, and at the root of the repository. */
const BUNDLED =
  ['../models/', '../../../models/']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path)) ?? '';

export type DenseModel = Extract<ResolvedModel, { kind: 'dense' }>;

/**
 * A dense model by name, downloaded if necessary, or by a folder's path, and the name to find it again. Errors:
 * `model_not_found`, `model_unavailable`, `model_corrupt`, and those of `assertDense`.
 */
export async function chosenModel(
  choice: string,
  { cacheDir, signal }: Pick<ResolveOptions, 'cacheDir' | 'signal'>,
): Promise<{ model: DenseModel; options: ResolveOptions }> {
  const isPath = /[/\\]/.test(choice);
  const { model, options } = isPath
    ? await inFolder(resolve(choice), { cacheDir, signal })
    : await byName(choice, { cacheDir, signal, bundledDir: BUNDLED });
  return { model: assertDense(model), options };
}

/** The model, if it is dense. Errors: `invalid_request` if not. */
export function assertDense(model: ResolvedModel): DenseModel {
  if (model.kind === 'dense') return model;
  const message = `${model.name} is a ${model.kind} model; name one that gives a dense vector for each text`;
  throw new EmbedmillError('invalid_request', message);
}

interface Found {
  model: ResolvedModel;
  options: ResolveOptions;
}

async function inFolder(path: string, where: ResolveOptions): Promise<Found> {
  if (!existsSync(path)) throw new EmbedmillError('model_unavailable', `there is no folder ${path}`);
  const bundled = REGISTRY.find(
    ({ source, model }) =>
      source.kind === 'bundled' && source.folder === basename(path) && existsSync(join(path, model.path)),
  );
  if (bundled !== undefined) return byName(bundled.name, { ...where, bundledDir: dirname(path) });
  const options = { ...where, modelsDir: dirname(path) };
  return {
    model: await resolveFound(await readModelAt({ kind: 'folder', path }, {}, options), options),
    options,
  };
}

async function byName(name: string, options: ResolveOptions & { bundledDir: string }): Promise<Found> {
  const { source } = await findModel(name, options);
  if (source.kind === 'bundled' && !existsSync(join(options.bundledDir, source.folder))) {
    const message = `the package embedmill includes ${name}, this one does not; name its folder, node_modules/embedmill/models/${source.folder}`;
    throw new EmbedmillError('model_unavailable', message);
  }
  return { model: await resolveModel(name, options), options };
}

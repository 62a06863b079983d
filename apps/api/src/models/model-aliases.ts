import type { ModelSummary } from '@embedmill/models';
import { requireModel } from './model.ts';
import type { ModelList } from './model-list.ts';
import { modelAndRole, promptOf, type Prompt, type RoleRequest } from './role.ts';

/** Vocabularies of OpenAI's whose ids can be read back to text. */
export const ENCODINGS = ['cl100k_base', 'o200k_base'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** A name that requests may use for a model, and what token ids sent under it are of. */
export interface ModelAlias {
  model: string;
  encoding: Encoding | undefined;
}
export type ModelAliases = ReadonlyMap<string, ModelAlias>;

/** All that a request's `model` may name. */
interface Named {
  models: ModelList;
  config: { aliases?: ModelAliases | undefined };
}

/** OpenAI's embedding models, whose clients may send ids of their vocabulary. */
const OPENAI_MODEL = /^(.*\/)?text-embedding-(3-small|3-large|ada-002)$/;
const ALIAS = /^([A-Za-z0-9][A-Za-z0-9._/-]{0,199})=([A-Za-z0-9][A-Za-z0-9._-]{0,99})(?:@([a-z0-9_]+))?$/;

/** Aliases as the setting has them: `name=model` or `name=model@encoding`. Undefined for one that is not so. */
export function parseAlias(text: string): [name: string, alias: ModelAlias] | undefined {
  const [, name, model, said] = ALIAS.exec(text) ?? [];
  if (name === undefined || model === undefined) return undefined;
  const encoding = ENCODINGS.find((one) => one === said);
  if (said !== undefined && encoding === undefined) return undefined;
  return [name, { model, encoding: encoding ?? (OPENAI_MODEL.test(name) ? 'cl100k_base' : undefined) }];
}

/** What a request asks its model for. */
export interface AskedModel extends Prompt {
  model: ModelSummary;
  /** What ids in the request are of, where the name says so. */
  encoding: Encoding | undefined;
}

/**
 * The model that a request names, itself or by an alias, with or without a role behind it, and the role and prompt of its texts.
 * Errors: `model_not_found`, `invalid_request` with the path.
 */
export async function askedModel(
  request: RoleRequest & { model: string },
  parts: Named,
  kind: ModelSummary['kind'],
): Promise<AskedModel> {
  const { name } = modelAndRole(request.model);
  const model = await namedModel(name, parts, kind);
  return { model, ...promptOf(request, model), encoding: parts.config.aliases?.get(name)?.encoding };
}

/** The model that a request's `model` names, itself or by another name. Errors: `model_not_found`. */
export async function namedModel(
  name: string,
  parts: Named,
  kind?: ModelSummary['kind'],
): Promise<ModelSummary> {
  return requireModel(parts.models, await nameOf(name, parts), 'model', kind);
}

/** The name of the model that another name of it stands for; the same name where it stands for none. */
export async function nameOf(name: string, { models, config: { aliases } }: Named): Promise<string> {
  return aliases?.get(name)?.model ?? hubIds(await models()).get(name) ?? name;
}

/**
 * Ids on the hub, and the models that they stand for: of several from one repository, in files of other precisions, the one that
 * is called as the repository is.
 */
export function hubIds(models: readonly ModelSummary[]): ReadonlyMap<string, string> {
  const names = new Set(models.map(({ name }) => name));
  return new Map(
    models.flatMap(({ name, repository }): [string, string][] => {
      if (repository === undefined) return [];
      const own = repository.slice(repository.lastIndexOf('/') + 1);
      return [[repository, names.has(own) ? own : name]];
    }),
  );
}

import type { ModelSummary } from '@embedmill/models';
import { requireModel } from './model.ts';
import type { ModelList } from './model-list.ts';
import { modelAndRole, promptOf, type Prompt, type RoleRequest } from './role.ts';

/** OpenAI's vocabularies whose token ids can be decoded to text. */
export const ENCODINGS = ['cl100k_base', 'o200k_base'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** The model behind an alias, and the vocabulary of token ids that are sent under it. */
export interface ModelAlias {
  model: string;
  encoding: Encoding | undefined;
}
export type ModelAliases = ReadonlyMap<string, ModelAlias>;

/** Everything that a request's `model` may name. */
interface Named {
  models: ModelList;
  config: { aliases?: ModelAliases | undefined };
}

/** OpenAI's embedding models, whose clients may send token ids of OpenAI's vocabulary. */
const OPENAI_MODEL = /^(.*\/)?text-embedding-(3-small|3-large|ada-002)$/;
const ALIAS = /^([A-Za-z0-9][A-Za-z0-9._/-]{0,199})=([A-Za-z0-9][A-Za-z0-9._-]{0,99})(?:@([a-z0-9_]+))?$/;

/** Parses an alias of the setting: `name=model` or `name=model@encoding`. Undefined if it is malformed. */
export function parseAlias(text: string): [name: string, alias: ModelAlias] | undefined {
  const [, name, model, said] = ALIAS.exec(text) ?? [];
  if (name === undefined || model === undefined) return undefined;
  const encoding = ENCODINGS.find((one) => one === said);
  if (said !== undefined && encoding === undefined) return undefined;
  return [name, { model, encoding: encoding ?? (OPENAI_MODEL.test(name) ? 'cl100k_base' : undefined) }];
}

/** The model, role and prompt that a request asks for. */
export interface AskedModel extends Prompt {
  model: ModelSummary;
  /** The vocabulary of token ids in the request, if the name implies one. */
  encoding: Encoding | undefined;
}

/**
 * The model that a request names, by its name or an alias, with or without a role as suffix; and the role and prompt of
 * its texts. Errors: `model_not_found`, `invalid_request` with the path.
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

/** The model that a request's `model` names, by its name or an alias. Errors: `model_not_found`. */
export async function namedModel(
  name: string,
  parts: Named,
  kind?: ModelSummary['kind'],
): Promise<ModelSummary> {
  return requireModel(parts.models, await nameOf(name, parts), 'model', kind);
}

/** The model's name behind an alias or hub id; any other name is returned as it is. */
export async function nameOf(name: string, { models, config: { aliases } }: Named): Promise<string> {
  return aliases?.get(name)?.model ?? hubIds(await models()).get(name) ?? name;
}

/**
 * Hub ids and the models that they stand for. If several models come from one repository (as files of other
 * precisions), the id stands for the one that has the repository's name.
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

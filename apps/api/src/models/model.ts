import { EmbedmillError } from '@embedmill/jobs';
import type { ModelSummary } from '@embedmill/models';
import type { ModelList } from './model-list.ts';

/** The model with this name, and of this kind if one is given. Errors: `model_not_found`, with the available names. */
export async function requireModel(
  models: ModelList,
  name: string,
  path: string,
  kind?: ModelSummary['kind'],
): Promise<ModelSummary> {
  const isNamed = (model: ModelSummary): boolean =>
    model.name === name && (kind === undefined || isOf(model, kind));
  const found = (await models()).find(isNamed) ?? (await models(0)).find(isNamed);
  if (found !== undefined) return found;
  const all = (await models()).filter((model) => kind === undefined || isOf(model, kind));
  const names = all.map((model) => model.name).join(', ');
  const message = `there is no ${kind === undefined ? '' : `${kind} `}model ${JSON.stringify(name)}; choose one of: ${names}`;
  throw new EmbedmillError('model_not_found', message, { details: [{ path, message }] });
}

/** A dense model that weights its tokens is also a sparse model. */
function isOf(model: ModelSummary, kind: ModelSummary['kind']): boolean {
  return model.kind === kind || (kind === 'sparse' && model.lexical);
}

import { EmbedmillError } from '@embedmill/jobs';
import type { ModelSummary } from '@embedmill/models';
import type { ModelList } from './model-list.ts';

/**
 * The model of this name, where a kind is given one of that kind. Errors: `model_not_found`, with the names there are.
 */
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

/** A dense model that weighs its tokens is a sparse model, too. */
function isOf(model: ModelSummary, kind: ModelSummary['kind']): boolean {
  return model.kind === kind || (kind === 'sparse' && model.lexical);
}

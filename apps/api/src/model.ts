import { EmbedmillError } from '@embedmill/jobs';
import type { ModelSummary } from '@embedmill/models';
import type { ApiParts } from './parts.ts';

/** The model of this name. Errors: `model_not_found`, with the names there are. */
export async function requireModel(
  models: ApiParts['models'],
  name: string,
  path: string,
): Promise<ModelSummary> {
  const all = await models();
  const found = all.find((model) => model.name === name);
  if (found !== undefined) return found;
  const names = all.map((model) => model.name).join(', ');
  const message = `there is no model ${JSON.stringify(name)}; choose one of: ${names}`;
  throw new EmbedmillError('model_not_found', message, { details: [{ path, message }] });
}

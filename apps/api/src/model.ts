import { EmbedmillError } from '@embedmill/jobs';
import type { ModelSummary } from './parts.ts';

/** The registry's entry of this name. Errors: `model_not_found`, with the names there are. */
export function requireModel(models: readonly ModelSummary[], name: string, path: string): ModelSummary {
  const found = models.find((model) => model.name === name);
  if (found !== undefined) return found;
  const names = models.map((model) => model.name).join(', ');
  const message = `there is no model ${JSON.stringify(name)}; choose one of: ${names}`;
  throw new EmbedmillError('model_not_found', message, { details: [{ path, message }] });
}

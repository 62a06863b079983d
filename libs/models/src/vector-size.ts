import { EmbedmillError } from '@embedmill/jobs';
import type { ModelSummary } from './models.ts';

/** The size to which vectors are truncated. Errors: `dimensions_not_allowed`, with the allowed sizes. */
export function dimsOf(
  model: Pick<ModelSummary, 'name' | 'dims' | 'matryoshka'>,
  asked: number | undefined,
  path = 'dimensions',
): number {
  if (asked === undefined || asked === model.dims || model.matryoshka.includes(asked))
    return asked ?? model.dims;
  const sizes = [...model.matryoshka, model.dims].join(', ');
  const message = `${model.name} gives vectors of ${sizes} numbers, not ${asked}`;
  throw new EmbedmillError('dimensions_not_allowed', message, { details: [{ path, message }] });
}

import { checkText, headAt, refuseUnknown, unscaled, vectorAt, type QueryLane } from './query-lane.ts';
import type { AskedModel } from '../models/model-aliases.ts';

/** The result for a request's inputs. */
export interface EmbeddedInputs {
  vectors: Float32Array[];
  /** For each input, whether it exceeded the model's limit. */
  truncated: readonly boolean[];
  /** The number of tokens that the model read. */
  tokens: number;
}

/**
 * A vector with `dims` numbers for each text, or for each list of the model's token ids. Errors: `invalid_request` with
 * the path, for inputs that are unreadable or meaningless to the model; those of the lane.
 */
export async function embedInputs(
  inputs: (string | number[])[],
  { model, role, prefix }: Pick<AskedModel, 'model' | 'role' | 'prefix'>,
  {
    dims,
    keep,
    normalize = true,
    pathOf,
  }: { dims: number; keep?: 'start' | 'end'; normalize?: boolean; pathOf: (index: number) => string },
  lane: QueryLane,
): Promise<EmbeddedInputs> {
  for (const [n, input] of inputs.entries()) if (typeof input === 'string') checkText(input, pathOf(n));
  const query = { task: 'embed', model: model.name, inputs, role, prefix, keep } as const;
  const result = await lane.ask({ ...query, ...unscaled(normalize) }, pathOf);
  const vectorOf = normalize ? vectorAt : headAt;
  refuseUnknown(result.unknown, model.name, pathOf);
  return {
    vectors: inputs.map((_, n) => vectorOf(result, n, dims)),
    truncated: result.truncated,
    tokens: result.tokens.reduce((sum, count) => sum + count, 0),
  };
}

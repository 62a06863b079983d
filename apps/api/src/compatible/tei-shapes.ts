import { z } from 'zod';
import { profileSchema, type ErrorCode, type InputReading } from '@embedmill/jobs';
import type { ModelSummary } from '@embedmill/models';
import { ignoredBy } from './compatible-fields.ts';
import { embeddingInput, EMBEDDING_JSON, listedInputs, MAX_INPUTS } from '../queries/embedding-input.ts';
import { askedModel, type AskedModel } from '../models/model-aliases.ts';
import type { ApiParts } from '../parts.ts';
import { refusedField } from '../http/problem.ts';
import { checkText, refuseUnknown } from '../queries/query-lane.ts';
import { tooLong } from '../queries/relevance.ts';
import { promptFields, roleFields } from '../models/role.ts';
import { readableInputs } from './token-ids.ts';

/** What the routes in the format of text-embeddings-inference have in common. */

/** The model for requests that name none, because text-embeddings-inference has no such field. */
export const DENSE = profileSchema.parse({}).model;
export const TEI_OPTIONS = {
  config: { access: 'search', json: EMBEDDING_JSON },
  bodyLimit: 16 * 1024 * 1024,
} as const;

export const model = z.string().optional().meta({ description: 'The model to use, an embedmill extension.' });
export const truncate = z.boolean().optional().meta({
  description: 'Whether to truncate inputs that exceed the model’s limit; otherwise they are refused.',
});
export const directions = ['Left', 'Right', 'left', 'right'] as const;
const direction = z.enum(directions).optional().meta({
  description: 'Which end of a long input to cut: its end (`Right`, the default) or its start.',
});
export const reading = {
  model,
  truncate,
  truncation_direction: direction,
  ...promptFields,
  ...roleFields,
  ...ignoredBy('tei'),
};
/** Texts, or ids of the model's own vocabulary, as returned by /tokenize. */
export const inputs = embeddingInput;
export const pairReading = {
  model,
  truncate,
  ...ignoredBy('tei'),
  truncation_direction: z.enum(directions).optional().meta({
    description: 'Only `Right`: pairs of a query and a text are cut at their ends.',
  }),
  raw_scores: z.boolean().default(false).meta({ description: 'Logits instead of values from 0 to 1.' }),
};
export const similaritySchema = z.strictObject({
  inputs: z.strictObject({
    source_sentence: z.string(),
    sentences: z
      .array(z.string())
      .min(1)
      .max(MAX_INPUTS - 1),
  }),
  parameters: z
    .strictObject({ truncate, truncation_direction: direction, prompt_name: promptFields.prompt_name })
    .optional(),
  model,
  ...ignoredBy('tei'),
});
const errorSchema = z.strictObject({ error: z.string(), error_type: z.string() });
export const teiErrors = { '4xx': errorSchema, '5xx': errorSchema };

/** Inputs as the model can read them, and the place of each. Errors: `invalid_request`. */
export async function teiInputs(
  given: z.output<typeof inputs>,
  asked: AskedModel,
): Promise<(string | number[])[]> {
  const { inputs: list } = listedInputs(given, 'inputs');
  for (const [n, input] of list.entries()) if (typeof input === 'string') checkText(input, pathOf(n));
  return readableInputs(list, { ...asked, encoding: undefined }, 'model', pathOf);
}

const pathOf = (n: number): string => `inputs/${n}`;

export function askedTei(
  body: { model?: string | undefined; prompt_name?: string | undefined },
  parts: ApiParts,
  kind: ModelSummary['kind'] = 'dense',
  usual = DENSE,
): Promise<AskedModel> {
  return askedModel({ ...body, model: body.model ?? usual }, parts, kind);
}

export function refuseLeft(direction: (typeof directions)[number] | undefined): void {
  if (endKept(direction) === 'end')
    throw refusedField('truncation_direction', 'pairs are cut at their ends; leave it out, or use Right');
}

export function endKept(direction: (typeof directions)[number] = 'Right'): 'start' | 'end' {
  return direction.toLowerCase() === 'left' ? 'end' : 'start';
}

/** Refuses inputs that exceed the limit unless truncation is requested, and inputs without a known token. */
export function refuseUnread(
  { truncated, unknown }: InputReading,
  truncate: boolean | undefined,
  { name, maxTokens }: ModelSummary,
): void {
  refuseUnknown(unknown, name, pathOf);
  const cut = truncate === true ? -1 : truncated.indexOf(true);
  if (cut !== -1) throw tooLong(pathOf(cut), maxTokens);
}

/** The kinds that its clients know. */
export function errorType(code: ErrorCode): string {
  switch (code) {
    case 'overloaded':
    case 'rate_limited':
      return 'Overloaded';
    case 'no_worker':
    case 'model_unavailable':
    case 'queue_unavailable':
    case 'identity_unavailable':
      return 'Unhealthy';
    case 'invalid_request':
    case 'invalid_json':
    case 'unauthenticated':
    case 'forbidden':
    case 'payload_too_large':
    case 'dimensions_not_allowed':
    case 'model_not_found':
      return 'Validation';
    default:
      return 'Backend';
  }
}

import { z } from 'zod';
import type { ModelSummary } from '@embedmill/models';
import { refusedField } from '../http/problem.ts';
import { tooLong } from '../queries/relevance.ts';
import type { embeddingRequestSchema } from './openai-shapes.ts';

/** The fields of Jina's clients in addition to OpenAI's, and vLLM's field for normalising. */
export const jinaFields = {
  normalized: z.boolean().default(true).meta({
    description: 'Jina’s: whether vectors are brought to length 1, or stay as the model gives them.',
  }),
  normalize: z.boolean().default(true).meta({ description: 'vLLM’s: the same.' }),
  task: z.string().optional().meta({
    description:
      'Jina’s: `retrieval.query` for queries, `retrieval.passage` for documents, or one of the model’s prompts.',
  }),
  embedding_type: z.enum(['float', 'base64', 'binary', 'ubinary']).optional().meta({
    description: 'Jina’s: how numbers are written.',
  }),
  truncate: z.boolean().optional().meta({
    description:
      'Jina’s: false to have inputs refused that are longer than the model reads; they are cut else.',
  }),
  late_chunking: z.literal(false).optional().meta({ description: 'Jina’s: inputs are not chunked.' }),
};
type JinaRequest = z.output<z.ZodObject<typeof jinaFields>>;
type Request = z.output<typeof embeddingRequestSchema> & JinaRequest;

const ROLE_OF_TASK: Readonly<Record<string, string>> = {
  'retrieval.query': 'query',
  'retrieval.passage': 'document',
};

/** Converts a task to our fields. Errors: `invalid_request` for one that the model does not support. */
export function taskFields(
  { task, input_type: role, prompt_name: prompt }: Request,
  { name, prompts }: Pick<ModelSummary, 'name' | 'prompts'>,
): { prompt_name?: string; input_type?: string } {
  if (task === undefined) return {};
  if (role !== undefined || prompt !== undefined)
    throw refusedField('task', 'input_type or prompt_name says what the texts are already; leave one out');
  if (Object.hasOwn(prompts, task)) return { prompt_name: task };
  const said = ROLE_OF_TASK[task];
  if (said !== undefined) return { input_type: said };
  const known = [...Object.keys(ROLE_OF_TASK), ...Object.keys(prompts)].join(', ');
  throw refusedField('task', `${name} has no form for it; it has ${known}`);
}

/** The number format of a response. Errors: `invalid_request` if two fields state it. */
export function writtenAs({
  embedding_type: type,
  encoding_format: format,
  output_dtype: form,
}: Request): Pick<Request, 'encoding_format' | 'output_dtype'> {
  if (type === undefined) return { encoding_format: format, output_dtype: form };
  if (format !== 'float' || form !== 'float')
    throw refusedField('embedding_type', 'encoding_format or output_dtype says it already; leave one out');
  if (type === 'base64') return { encoding_format: type, output_dtype: form };
  return { encoding_format: format, output_dtype: type };
}

/** Refuses truncated inputs unless truncation is allowed. Errors: `payload_too_large` with the path. */
export function refuseCut(
  { truncate }: Request,
  truncated: readonly boolean[],
  { maxTokens }: Pick<ModelSummary, 'maxTokens'>,
  pathOf: (index: number) => string,
): void {
  const cut = truncate === false ? truncated.indexOf(true) : -1;
  if (cut !== -1) throw tooLong(pathOf(cut), maxTokens);
}

import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ignoredBy } from './compatible-fields.ts';
import type { ApiParts } from '../parts.ts';
import { refusedField } from '../http/problem.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import { relevanceOf } from '../queries/relevance.ts';

const documentSchema = z.union([z.string(), z.record(z.string(), z.unknown())], {
  error: 'must be a string or an object of fields',
});

/** The request of Cohere, Jina, vLLM and Infinity: the union of their fields, of which each client sends its own. */
export const documentRerankSchema = z.strictObject({
  model: z.string().optional().meta({ description: 'A reranker, or a dense model for late interaction.' }),
  query: z.string(),
  documents: z.array(documentSchema).min(1).max(1000),
  top_n: z
    .int()
    .nonnegative()
    .optional()
    .meta({ description: 'The number of results to return; 0 returns all, as in vLLM.' }),
  return_documents: z.boolean().default(false),
  raw_scores: z.boolean().default(false).meta({ description: 'Logits instead of values from 0 to 1.' }),
  rank_fields: z.array(z.string()).min(1).max(100).optional().meta({
    description: 'For documents that are objects: the fields to read, in order; "text" by default.',
  }),
  max_chunks_per_doc: z
    .int()
    .positive()
    .optional()
    .meta({ description: 'Accepted and ignored: this route does not chunk documents.' }),
  max_tokens_per_doc: z.int().positive().optional().meta({
    description: 'At least the model’s limit; a lower limit is not supported.',
  }),
  truncation: z
    .literal(true)
    .optional()
    .meta({ description: 'As in Jina: documents that are too long are truncated, not refused.' }),
  ...ignoredBy('cohere'),
});
export type DocumentRerank = z.output<typeof documentRerankSchema>;

/** Their response: the union, of which each client reads the fields that it knows. */
export const rerankedSchema = z.strictObject({
  id: z.string(),
  model: z.string(),
  object: z.literal('rerank'),
  created: z.int(),
  results: z.array(
    z.strictObject({
      index: z.int(),
      relevance_score: z.number(),
      document: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
  usage: z.strictObject({ prompt_tokens: z.int(), total_tokens: z.int() }),
  meta: z.strictObject({ api_version: z.strictObject({ version: z.string() }) }).optional(),
});
type Reranked = Omit<z.infer<typeof rerankedSchema>, 'meta'>;

/** Cohere's clients read `message`, Jina's `detail`. */
export const documentErrorSchema = z.strictObject({ message: z.string(), detail: z.string() });

export async function rerankDocuments(
  body: DocumentRerank,
  parts: ApiParts,
  lane: QueryLane,
): Promise<Reranked> {
  const fields = body.rank_fields ?? ['text'];
  const text = body.documents.findIndex((one) => typeof one === 'string');
  if (text !== -1 && !fields.includes('text'))
    throw refusedField('rank_fields', `documents/${text} is a string and has no fields; leave it out`);
  const documents = body.documents.map((one) => (typeof one === 'string' ? { text: one } : one));
  const { model, ranked, tokens } = await relevanceOf(
    {
      model: body.model,
      query: body.query,
      whole: false,
      texts: documents.map((document, n) => textOf(document, fields, `documents/${n}`)),
      tokensPerText: body.max_tokens_per_doc,
      paths: { texts: 'documents' },
    },
    parts,
    lane,
  );
  return {
    id: randomUUID(),
    model,
    object: 'rerank',
    created: Math.floor(Date.now() / 1000),
    results: ranked.slice(0, body.top_n || undefined).map(({ index, probability, score }) => ({
      index,
      relevance_score: body.raw_scores ? score : probability,
      ...(body.return_documents && { document: documents[index] ?? {} }),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** The part of a document to rank. Errors: `invalid_request` if it has none of the fields. */
function textOf(document: Record<string, unknown>, fields: readonly string[], path: string): string {
  const texts = fields.flatMap((field) => {
    const value = Object.hasOwn(document, field) ? document[field] : undefined;
    if (value === undefined || value === null) return [];
    if (typeof value === 'object')
      throw refusedField(`${path}/${field}`, 'must be a string, a number or a boolean');
    return String(value as string | number | boolean);
  });
  if (texts.length > 0) return texts.join('\n');
  throw refusedField(path, `it has none of the ranked fields: ${fields.join(', ')}`);
}

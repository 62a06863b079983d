import { z } from 'zod';
import { jsonSchema } from './document.ts';
import { filterSchema } from './filter.ts';

export const searchRequestSchema = z.strictObject({
  query: z.string().min(1).max(32_768).meta({ description: 'What to look for, in words.' }),
  limit: z.int().min(1).max(1000).default(10),
  offset: z.int().min(0).max(10_000).default(0),
  filter: filterSchema.optional(),
  tenant: z.string().min(1).max(128).optional().meta({ description: 'Whose documents to search.' }),
});
export type SearchRequest = z.infer<typeof searchRequestSchema>;

export const hitSchema = z.strictObject({
  id: z.string().meta({ description: 'The document’s id.' }),
  score: z.number().meta({ description: 'Cosine similarity, higher is closer.' }),
  text: z.string().meta({ description: 'The chunk’s text.' }),
  title: z.string().nullable(),
  metadata: z.record(z.string(), jsonSchema),
  chunk: z.strictObject({
    index: z.int(),
    count: z.int(),
    start: z
      .int()
      .meta({ description: 'First character of the chunk in the document’s text (UTF-16 units).' }),
    end: z.int().meta({ description: 'One past its last character.' }),
  }),
});
export type Hit = z.infer<typeof hitSchema>;

export const searchResponseSchema = z.strictObject({ hits: z.array(hitSchema) });

/** What the API answers, as far as the command line reads it. A newer server may tell more: that is passed over. */
import { z } from 'zod';
import { collectionSchema, jobSchema, jsonSchema, watchedSourceViewSchema } from '@embedmill/jobs';

export const looseJob = jobSchema.loose();
export const looseSource = watchedSourceViewSchema.loose();
export const collectionViewSchema = collectionSchema.loose().extend({
  points: z.int(),
  documents: z.int(),
  tenants: z.array(z.looseObject({ tenant: z.string(), documents: z.int() })).optional(),
  sources: z.array(z.looseObject({ source: z.string().nullable(), documents: z.int() })).optional(),
});
export type CollectionView = z.infer<typeof collectionViewSchema>;

export const fieldReportSchema = z.looseObject({
  collection: collectionViewSchema,
  values: z.int(),
  misfits: z.int(),
  examples: z.array(z.looseObject({ id: z.string(), tenant: z.string(), value: jsonSchema })),
});
export const fieldProgressSchema = z.looseObject({ points: z.int(), of: z.int() });
export type FieldReport = z.infer<typeof fieldReportSchema>;

export const aliasSchema = z.looseObject({ name: z.string(), collection: z.string() });
export type AliasView = z.infer<typeof aliasSchema>;

export const modelSchema = z.looseObject({
  name: z.string(),
  kind: z.string(),
  dims: z.int(),
  maxTokens: z.int(),
  attentions: z.boolean(),
  lexical: z.boolean().default(false),
  images: z.boolean(),
  bundled: z.boolean(),
  local: z.boolean().default(false),
  available: z.boolean(),
  license: z.string(),
});
export type ModelView = z.infer<typeof modelSchema>;

export const pausedSchema = z.object({ paused: z.boolean() });

export const readinessSchema = z.object({
  ok: z.boolean(),
  parts: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string().optional() })).default({}),
});
export type Readiness = z.infer<typeof readinessSchema>;

export const embeddingsSchema = z.object({ data: z.array(z.object({ embedding: z.array(z.number()) })) });

const weightedTerms = z.array(z.object({ term: z.string(), weight: z.number() }));
export const storedDocumentSchema = z.object({
  id: z.string(),
  title: z.string().nullable(),
  metadata: z.record(z.string(), jsonSchema),
  chunks: z.array(
    z.object({
      index: z.int(),
      start: z.int(),
      end: z.int(),
      text: z.string(),
      terms: z.record(z.string(), weightedTerms),
    }),
  ),
});
export type StoredDocument = z.infer<typeof storedDocumentSchema>;

const pointSchema = z.object({
  id: z.string(),
  chunk: z.int(),
  title: z.string().nullable(),
  text: z.string(),
  metadata: z.record(z.string(), jsonSchema),
  /** Little-endian float32, in base64. */
  dense: z.string(),
});
export type PointView = z.infer<typeof pointSchema>;
export const pointsSchema = z.object({ points: z.array(pointSchema), next: z.string().nullable() });

const side = z.object({ id: z.string(), chunk: z.int(), text: z.string() });
export const nearDuplicatesSchema = z.object({
  pairs: z.array(z.object({ score: z.number(), first: side, second: side })),
  points: z.int(),
  next: z.string().nullable(),
});
export type NearDuplicates = z.infer<typeof nearDuplicatesSchema>;

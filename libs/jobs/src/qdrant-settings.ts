import { z } from 'zod';

/** Environment variables about how Qdrant is used. */
export const qdrantSettings = {
  EMBEDMILL_QDRANT_SEARCH_SECONDS: z.coerce.number().min(0.1).max(110).default(5).meta({
    description: 'How long Qdrant may take for a search; what takes longer fails, and is not tried again.',
  }),
};

/** How Qdrant is used. */
export interface QdrantConfig {
  /** How long what a search asks for may take, in milliseconds. */
  searchTimeout: number;
}

/** The settings under their names in code. */
export function qdrantConfig(read: z.output<z.ZodObject<typeof qdrantSettings>>): QdrantConfig {
  return { searchTimeout: read.EMBEDMILL_QDRANT_SEARCH_SECONDS * 1000 };
}

import { z } from 'zod';

/** Environment variables about Milvus: where it is, and how it is used. */
export const milvusSettings = {
  MILVUS_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL, as in http://127.0.0.1:19530' })
    .optional()
    .meta({ description: 'A Milvus to keep the vectors in, in place of Qdrant; https:// with TLS.' }),
  MILVUS_TOKEN: z.string().optional().meta({ description: 'Milvus’ key, or user:password.' }),
  MILVUS_DATABASE: z
    .string()
    .optional()
    .meta({ description: 'The database in Milvus; its default one else.' }),
  MILVUS_TLS_CA: z.string().optional().meta({
    description: 'A file of certificates, in PEM, of the authority that signed those of Milvus.',
  }),
  EMBEDMILL_MILVUS_SEARCH_SECONDS: z.coerce.number().min(0.1).max(110).default(5).meta({
    description: 'How long Milvus may take for a search; what takes longer fails, and is not tried again.',
  }),
};

type MilvusSettings = z.output<z.ZodObject<typeof milvusSettings>>;

/** Where Milvus is, and how it is used. */
export interface MilvusConfig {
  url: string;
  token: string | undefined;
  database: string | undefined;
  tlsCa: string | undefined;
  /** How long what a search asks for may take, in milliseconds. */
  searchTimeout: number;
}

/** The settings under their names in code; undefined where there is no Milvus. */
export function milvusConfig(read: MilvusSettings): MilvusConfig | undefined {
  if (read.MILVUS_URL === undefined) return undefined;
  return {
    url: read.MILVUS_URL,
    token: read.MILVUS_TOKEN,
    database: read.MILVUS_DATABASE,
    tlsCa: read.MILVUS_TLS_CA,
    searchTimeout: read.EMBEDMILL_MILVUS_SEARCH_SECONDS * 1000,
  };
}

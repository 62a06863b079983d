import { z } from 'zod';

/** Environment variables that configure the address and the use of Milvus. */
export const milvusSettings = {
  MILVUS_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL, as in http://127.0.0.1:19530' })
    .optional()
    .meta({ description: 'The Milvus that stores the vectors, in place of Qdrant; https:// for TLS.' }),
  MILVUS_TOKEN: z.string().optional().meta({ description: 'Milvus’ API key, or user:password.' }),
  MILVUS_DATABASE: z
    .string()
    .optional()
    .meta({ description: 'The database in Milvus; the default database if unset.' }),
  MILVUS_TLS_CA: z.string().optional().meta({
    description: 'A PEM file of the certificate authority that signed Milvus’ certificates.',
  }),
  EMBEDMILL_MILVUS_SEARCH_SECONDS: z.coerce.number().min(0.1).max(110).default(5).meta({
    description: 'Seconds that Milvus may take for a search; a slower search fails and is not retried.',
  }),
};

type MilvusSettings = z.output<z.ZodObject<typeof milvusSettings>>;

/** The address and the use of Milvus. */
export interface MilvusConfig {
  url: string;
  token: string | undefined;
  database: string | undefined;
  tlsCa: string | undefined;
  /** How long a request of a search may take, in milliseconds. */
  searchTimeout: number;
}

/** The settings by their names in code; undefined without Milvus. */
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

import { z } from 'zod';
import type { EmbedApi } from './embed-api.ts';

/** The fields read from `GET /info`; a server without the first two is not TEI. */
export const teiInfoSchema = z.object({
  model_id: z.string(),
  max_input_length: z.int().positive(),
  max_client_batch_size: z.int().positive().default(32),
  max_concurrent_requests: z.int().positive().default(512),
});

export const TEI_INFO_PATH = '/info';

const answerSchema = z.array(z.unknown());

/**
 * The native API of Hugging Face text-embeddings-inference: `POST /embed`. It truncates texts that are too long, which
 * the worker's tokenizer has already done.
 */
export function teiApi(info: z.infer<typeof teiInfoSchema>, normalize: boolean): EmbedApi {
  return {
    name: 'tei',
    path: '/embed',
    model: info.model_id,
    maxItems: info.max_client_batch_size,
    isStated: true,
    maxRequests: info.max_concurrent_requests,
    bodyFor: (inputs) => ({ inputs, normalize, truncate: true }),
    vectorsIn(answer) {
      const { data, success } = answerSchema.safeParse(answer);
      return success ? data : 'something that is not a list of vectors';
    },
  };
}

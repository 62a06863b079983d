import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { cohereError, cohereErrors } from '../compatible/cohere-shapes.ts';
import { requireDataset } from '../datasets/dataset-records.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs } from '../http/problem.ts';
import { sendFile } from '../http/served-file.ts';

/**
 * The files of output datasets. Cohere's clients send no key when they read them, so their URLs are secrets, which are
 * given only to keys with access to the dataset. A URL grants access to that one file and nothing else. This is why this
 * route has the whole spool rather than a tenant's view of it.
 */
export function datasetPartRoutes(
  spool: Pick<ApiParts['spool'], 'datasets' | 'readSource'>,
  log: ApiParts['log'],
): FastifyPluginAsyncZod {
  return async (server) => {
    answerErrorsAs(server, log, cohereError);

    server.get(
      '/datasets/:id/parts/0',
      {
        config: { access: 'open', slot: 'stream' },
        schema: {
          tags: ['cohere'],
          summary: 'Download the rows of an embed job’s dataset, in Avro',
          params: z.object({ id: z.string() }),
          querystring: z.strictObject({ secret: z.string() }),
          response: {
            200: { description: 'The file.', content: { 'application/avro': { schema: z.string() } } },
            ...cohereErrors,
          },
        },
      },
      async (request, reply) => {
        const dataset = await requireDataset(spool.datasets, request.params.id);
        if (dataset.type !== 'embed-result' || !isSame(request.query.secret, dataset.secret))
          throw new EmbedmillError(
            'dataset_not_found',
            'the part does not exist, or its address has changed',
          );
        const { id, source } = dataset;
        const file = { source, etag: `"${id}-${source.size}"`, type: 'application/avro', name: `${id}.avro` };
        return sendFile(request, reply, file, spool);
      },
    );
  };
}

/** Compares in constant time, by hashes, which have the same length. */
function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', wanted, 'buffer'));
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  DEFAULT_TENANT,
  documentSchema,
  filterSchema,
  prioritySchema,
  webhookSchema,
  type CollectionName,
  type DocumentId,
  type TenantId,
} from '@embedmill/jobs';
import { ownTenant, requireScope } from '../access/principal.ts';
import { requireCollection } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';
import { clientSignal } from '../http/request-life.ts';
import { countSelected } from '../deletions/stored-documents.ts';
import type { Deletion, Submission } from '../ingest/submission.ts';
import { idempotencyHeaders } from '../ingest/upload.ts';
import { jobView, located } from './jobs.ts';

const MOST_IDS = 10_000;
/** Documents per lookup. */
const LOOKED_UP = 1000;

const bodySchema = z
  .strictObject({
    ids: z.array(documentSchema.shape.id).min(1).max(MOST_IDS).optional().meta({
      description: `The ids of the documents to delete. To delete more, submit a job with lines {"id": …, "deleted": true}.`,
    }),
    filter: filterSchema.optional().meta({ description: 'Deletes the documents that match the filter.' }),
    tenant: z.string().min(1).max(128).optional().meta({
      description:
        'The tenant of the documents. The default is `default` for ids, and all tenants for a filter.',
    }),
    dryRun: z.boolean().default(false).meta({ description: 'Only count what would be deleted.' }),
    priority: prioritySchema.optional().meta({ description: 'The priority of the job.' }),
    webhook: webhookSchema.optional().meta({ description: 'The receiver to notify of the job’s end.' }),
  })
  .refine(({ ids, filter }) => (ids === undefined) !== (filter === undefined), 'give ids or a filter')
  .meta({ id: 'Deletion' });

/** The response of a dry run. */
const countSchema = z.strictObject({
  documents: z.int().nonnegative().meta({ description: 'How many of these documents are currently stored.' }),
});

/** Deletes documents by ids or by a filter, in a job. */
export function deletionRoutes({ store }: ApiParts, submission: Submission): FastifyPluginAsyncZod {
  return async (server) => {
    server.post(
      '/collections/:name/documents/delete',
      {
        config: { access: 'submit' },
        schema: {
          tags: ['documents'],
          summary: 'Delete documents by ids or by a filter',
          params: z.object({ name: z.string() }),
          headers: idempotencyHeaders,
          body: bodySchema,
          response: {
            202: jobView.describe('The job that deletes them.'),
            200: z
              .union([countSchema, jobView])
              .describe('For a dry run, the count; otherwise the existing job of this Idempotency-Key.'),
            ...problemResponses,
          },
        },
      },
      async (request, reply) => {
        const collection = await requireCollection(store, request.params.name);
        const { dryRun, tenant: named, ...rest } = request.body;
        const deletion: Deletion = { ...rest, tenant: ownTenant(named as TenantId | undefined) };
        const name = collection.name as CollectionName;
        if (dryRun) {
          requireScope('search', 'counting stored documents');
          return reply.send({ documents: await countOf(name, deletion) });
        }
        const { filter, tenant } = deletion;
        // Fail the request, not the job, if the store refuses the filter.
        if (filter !== undefined) await store.scanPoints(name, { filter, tenant, limit: 1 });
        const { job, created } = await submission.delete(collection, request, deletion);
        return located(reply, job)
          .code(created ? 202 : 200)
          .send(job);
      },
    );
  };

  async function countOf(name: CollectionName, { ids, filter, tenant }: Deletion): Promise<number> {
    if (ids === undefined) return countSelected(store, name, { filter, tenant }, clientSignal());
    const keys = [...new Set(ids)].map((id) => ({ id: id as DocumentId, tenant: tenant ?? DEFAULT_TENANT }));
    let documents = 0;
    for (let start = 0; start < keys.length; start += LOOKED_UP) {
      const found = await store.findDocuments(name, keys.slice(start, start + LOOKED_UP));
      documents += found.filter((one) => one?.state === 'stored').length;
    }
    return documents;
  }
}

import { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { MEDIA_TYPES, type Collection } from '@embedmill/jobs';
import { idFor } from '../accepted-job.ts';
import { requireCollection } from '../collection.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses, validateButBody } from '../problem.ts';
import { FORM_PARTS } from '../file-form.ts';
import type { Submission } from '../submission.ts';
import { emptyBody, submissionSchema } from '../submission-body.ts';
import {
  checkUploadHeaders,
  FORM_TYPE,
  idempotencyHeaders,
  isForm,
  NDJSON_TYPES,
  parseSubmissions,
  saidOf,
  uploadEncoding,
  uploadQuerySchema,
  webhookHeaders,
  type JsonBody,
} from '../upload.ts';
import { jobView, located } from './jobs.ts';

const params = z.object({ name: z.string() });
const csv = z.string().meta({ description: 'A table with its columns’ names in the first row.' });
const parquet = z.string().meta({ format: 'binary' });
const ndjson = z.string().meta({ description: 'One document a line; streamed, so of any size.' });

const form = z.strictObject({
  [FORM_PARTS.file]: z
    .array(z.string().meta({ format: 'binary' }))
    .optional()
    .meta({ description: 'Files of one job, each with its name, which says its format.' }),
  [FORM_PARTS.place]: z.array(z.string()).optional().meta({
    description: 'As an entry of `source.files` in JSON: what the server reads itself, beside them.',
  }),
});

/** `POST /collections/:name/jobs`, the one route that takes bodies of any size; it parses them in its own way. */
export function submissionRoutes(
  { store, queue, config, assertQuota }: ApiParts,
  submission: Submission,
): FastifyPluginAsyncZod {
  return async (server) => {
    parseSubmissions(server);
    const collections = new WeakMap<FastifyRequest, Collection>();

    server.post(
      '/collections/:name/jobs',
      {
        config: { access: 'submit', slot: 'upload' },
        schema: {
          ...{
            tags: ['jobs'],
            summary: 'Submit documents',
            params,
            headers: idempotencyHeaders.extend(webhookHeaders.shape),
            querystring: uploadQuerySchema,
          },
          body: {
            content: {
              ...Object.fromEntries(NDJSON_TYPES.slice(0, 1).map((type) => [type, { schema: ndjson }])),
              [MEDIA_TYPES.csv]: { schema: csv },
              [MEDIA_TYPES.parquet]: { schema: parquet },
              [FORM_TYPE]: { schema: form },
              'application/json': { schema: submissionSchema },
            },
          },
          response: {
            202: jobView.describe('Accepted.'),
            200: jobView.describe('The job that this Idempotency-Key stands for.'),
            ...problemResponses,
          },
        },
        // The body is checked where it is read: a stream line by line, JSON with its documents' own faults.
        validatorCompiler: validateButBody,
        // What can be refused by the headers is, before a byte of the body is read.
        onRequest: async (request) => {
          const { name } = request.params as z.infer<typeof params>;
          const collection = await requireCollection(store, name);
          collections.set(request, collection);
          checkUploadHeaders(request.headers, config.maxUploadBytes);
          // One that comes again is answered with its job.
          const isKnown = request.headers['idempotency-key'] !== undefined;
          if (!isKnown || (await queue.getJob(idFor(collection, request))) === undefined)
            await assertQuota?.();
        },
      },
      async (request, reply) => {
        const collection = collections.get(request) ?? (await requireCollection(store, request.params.name));
        const body = request.body as IncomingMessage | JsonBody | undefined;
        if (body === undefined) throw emptyBody();
        const { job, created } =
          body instanceof IncomingMessage
            ? await submission.upload(collection, request, body, {
                content: isForm(request.headers)
                  ? { kind: 'form', said: saidOf(request.query) }
                  : { kind: 'one', encoding: uploadEncoding(request.query, request.headers) },
                maxFailures: request.query.maxFailures,
              })
            : await submission.json(collection, request, body);
        return located(reply, job)
          .code(created ? 202 : 200)
          .send(job);
      },
    );
  };
}

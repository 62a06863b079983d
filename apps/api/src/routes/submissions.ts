import { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { MEDIA_TYPES, outputFormatSchema, snapshotOptionsSchema, type Collection } from '@embedmill/jobs';
import { idFor, type Submitted } from '../ingest/accepted-job.ts';
import { OWN_DEFINITION, requireCollection } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses, refusedField, validateButBody } from '../http/problem.ts';
import { FORM_PARTS } from '../ingest/file-form.ts';
import type { Submission, UploadReading } from '../ingest/submission.ts';
import {
  embeddingJobSchema,
  emptyBody,
  intentOf,
  submissionSchema,
  type Intent,
} from '../ingest/submission-body.ts';
import {
  checkUploadHeaders,
  embeddingQuerySchema,
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
} from '../ingest/upload.ts';
import { jobView, located } from './jobs.ts';

const params = z.object({ name: z.string() });
const csv = z.string().meta({ description: 'A table with the column names in the first row.' });
const parquet = z.string().meta({ format: 'binary' });
const ndjson = z.string().meta({ description: 'One document per line; streamed, so of any size.' });

const form = z.strictObject({
  [FORM_PARTS.file]: z
    .array(z.string().meta({ format: 'binary' }))
    .optional()
    .meta({ description: 'The files of one job; the name of each determines its format.' }),
  [FORM_PARTS.place]: z.array(z.string()).optional().meta({
    description: 'Like an entry of `source.files` in JSON: further files that the server reads itself.',
  }),
});

/** Body schema of a submission: a stream of documents, or a few of them in JSON. */
const bodyOf = (json: z.ZodType) => ({
  content: {
    ...Object.fromEntries(NDJSON_TYPES.slice(0, 1).map((type) => [type, { schema: ndjson }])),
    [MEDIA_TYPES.csv]: { schema: csv },
    [MEDIA_TYPES.parquet]: { schema: parquet },
    [FORM_TYPE]: { schema: form },
    'application/json': { schema: json },
  },
});
const headers = idempotencyHeaders.extend(webhookHeaders.shape);
const response = {
  202: jobView.describe('Accepted.'),
  200: jobView.describe('The existing job of this Idempotency-Key.'),
  ...problemResponses,
};
/** Reads an upload's query, which the route has validated. */
const uploadIntentSchema = snapshotOptionsSchema.extend({ dryRun: z.boolean().optional() });

/** The routes that accept bodies of any size and therefore parse them themselves. */
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
          tags: ['jobs'],
          summary: 'Submit documents',
          params,
          headers,
          response,
          querystring: uploadQuerySchema,
          body: bodyOf(submissionSchema),
        },
        // The body is validated as it is read: a stream line by line, JSON document by document.
        validatorCompiler: validateButBody,
        // Refuse what the headers allow to refuse before reading any byte of the body.
        onRequest: async (request) => {
          const { name } = request.params as z.infer<typeof params>;
          const collection = await requireCollection(store, name);
          collections.set(request, collection);
          await checkBefore(request, collection);
        },
      },
      async (request, reply) => {
        const collection = collections.get(request) ?? (await requireCollection(store, request.params.name));
        const body = bodyIn(request);
        const intent = intentOf(uploadIntentSchema.parse(request.query));
        const { job, created } =
          body instanceof IncomingMessage
            ? await submission.upload(collection, request, body, readingOf(request, request.query, intent))
            : await submission.json(collection, request, body);
        return located(reply, job)
          .code(created ? 202 : 200)
          .send(job);
      },
    );

    server.post(
      '/jobs',
      {
        config: { access: 'submit', slot: 'upload' },
        schema: {
          tags: ['jobs'],
          summary: 'Embed documents to a file',
          headers,
          response,
          querystring: embeddingQuerySchema,
          body: bodyOf(embeddingJobSchema),
        },
        validatorCompiler: validateButBody,
        onRequest: (request) => checkBefore(request, OWN_DEFINITION),
      },
      async (request, reply) => {
        const body = bodyIn(request);
        const { job, created } =
          body instanceof IncomingMessage
            ? await embedUpload(request, request.query, body)
            : await submission.embed(request, body);
        return located(reply, job)
          .code(created ? 202 : 200)
          .send(job);
      },
    );

    async function embedUpload(
      request: FastifyRequest,
      query: z.output<typeof embeddingQuerySchema>,
      body: IncomingMessage,
    ): Promise<Submitted> {
      const { output: format, to, profile, sourceName } = query;
      if (format === undefined) {
        const message = `set the format of the output file, such as ?output=parquet (${outputFormatSchema.options.join(', ')}); documents for a collection go to /api/v1/collections/{name}/jobs`;
        throw refusedField('output', message);
      }
      const { collection, ...intent } = await submission.target({
        profile,
        output: { format, to },
        sourceName,
      });
      return submission.upload(collection, request, body, readingOf(request, query, intent));
    }

    async function checkBefore(
      request: FastifyRequest,
      definition: Pick<Collection, 'name' | 'createdAt'>,
    ): Promise<void> {
      checkUploadHeaders(request.headers, config.maxUploadBytes);
      // A repeated request gets the job of the first one.
      const isKnown = request.headers['idempotency-key'] !== undefined;
      if (!isKnown || (await queue.getJob(idFor(definition, request))) === undefined) await assertQuota?.();
    }
  };
}

function bodyIn(request: FastifyRequest): IncomingMessage | JsonBody {
  const body = request.body as IncomingMessage | JsonBody | undefined;
  if (body === undefined) throw emptyBody();
  return body;
}

function readingOf(
  request: FastifyRequest,
  query: Parameters<typeof saidOf>[0] & Partial<Pick<UploadReading, 'maxFailures'>>,
  intent: Intent,
): UploadReading {
  return {
    intent,
    content: isForm(request.headers)
      ? { kind: 'form', said: saidOf(query) }
      : { kind: 'one', encoding: uploadEncoding(query, request.headers) },
    maxFailures: query.maxFailures,
  };
}

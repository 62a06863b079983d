import type { IncomingMessage } from 'node:http';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { DatasetReading } from '@embedmill/queue';
import { currentPrincipal } from '../access/principal.ts';
import { newestFirst } from '../batches/client-records.ts';
import { cohereError, cohereErrors } from '../compatible/cohere-shapes.ts';
import {
  datasetSchema,
  newDatasetId,
  requireDataset,
  type InputDataset,
} from '../datasets/dataset-records.ts';
import { datasetViewSchema, statusOf, STATUSES, viewOfDataset } from '../datasets/dataset-view.ts';
import type { FileForm } from '../ingest/file-form.ts';
import { keepForm, type KeptForm } from '../ingest/kept-form.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField, validateButBody } from '../http/problem.ts';
import { checkUploadHeaders, FORM_TYPE } from '../ingest/upload.ts';

const tags = ['cohere'];
const params = z.object({ id: z.string() });
const flag = z.enum(['true', 'false']).optional();
/** Field names that Avro, the format of the output, allows. */
const fieldNames = z
  .preprocess(
    (given) => (typeof given === 'string' ? [given] : given),
    z
      .array(z.string().regex(/^[A-Za-z_]\w{0,199}$/, 'must be a valid Avro name: letters, digits and _'))
      .max(100),
  )
  .optional();
const creating = z.strictObject({
  name: z.string().min(1).max(512),
  type: z.string(),
  keep_fields: fieldNames.meta({ description: 'The fields of each row to keep in addition to its text.' }),
  optional_fields: fieldNames.meta({ description: 'Like keep_fields, but rows may lack them.' }),
  skip_malformed_input: flag.meta({ description: 'Skip rows that cannot be embedded, and warn of them.' }),
  csv_delimiter: z.string().length(1).optional(),
  keep_original_file: flag,
  text_separator: z.string().optional(),
});
const listing = z.strictObject({
  datasetType: z.string().optional(),
  before: z.iso.datetime({ offset: true }).optional(),
  after: z.iso.datetime({ offset: true }).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  offset: z.coerce.number().int().min(0).default(0),
  validationStatus: z.enum(STATUSES).optional(),
});
const form = z.strictObject({
  data: z.string().meta({ format: 'binary', description: 'Rows with a `text`, as JSON lines or CSV.' }),
});

/** The part of Cohere's datasets API that its embed jobs need. */
export function datasetRoutes({ spool, config, log, threads }: ApiParts): FastifyPluginAsyncZod {
  return async (server) => {
    answerErrorsAs(server, log, cohereError);
    server.addContentTypeParser(FORM_TYPE, async (_request: unknown, body: IncomingMessage) => body);

    server.post(
      '/datasets',
      {
        config: { access: 'submit', slot: 'upload' },
        schema: {
          tags,
          summary: 'Upload a dataset of texts for embed jobs',
          querystring: creating,
          body: { content: { [FORM_TYPE]: { schema: form } } },
          response: { 200: z.strictObject({ id: z.string() }), ...cohereErrors },
        },
        validatorCompiler: validateButBody,
        onRequest: async ({ headers }) => checkUploadHeaders(headers, config.maxUploadBytes),
      },
      async (request) => {
        assertDone(request.query);
        const id = newDatasetId();
        const maxBytes = config.maxUploadBytes;
        const form: KeptForm = { id, what: 'rows', parts: { file: 'data', fields: [] }, maxBytes };
        return keepForm(request, spool.datasets, form, async (received, source) => {
          const reading = readingOf(request.query, received);
          const { tenant } = currentPrincipal();
          const check = await threads.run('checkDataset', { source, reading }, { share: tenant });
          const dataset: InputDataset = {
            type: 'embed-input',
            id,
            name: request.query.name,
            ...(tenant !== undefined && { tenant }),
            createdAt: Date.now(),
            source,
            reading,
            ...check,
          };
          await spool.datasets.keep(id, dataset);
          return { id };
        });
      },
    );

    server.get(
      '/datasets',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'List the datasets, newest first',
          querystring: listing,
          response: { 200: z.strictObject({ datasets: z.array(datasetViewSchema) }), ...cohereErrors },
        },
      },
      async (request) => {
        const { datasetType, before, after, limit, offset, validationStatus } = request.query;
        const found = (await newestFirst(spool.datasets, datasetSchema)).filter(
          (dataset) =>
            (datasetType === undefined || dataset.type === datasetType) &&
            (before === undefined || dataset.createdAt < Date.parse(before)) &&
            (after === undefined || dataset.createdAt > Date.parse(after)) &&
            (validationStatus === undefined || statusOf(dataset) === validationStatus),
        );
        const page = found.slice(offset, offset + limit);
        return { datasets: page.map((dataset) => viewOfDataset(dataset, request)) };
      },
    );

    server.get(
      '/datasets/usage',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Get the size of all datasets in bytes',
          response: { 200: z.strictObject({ organization_usage: z.int() }), ...cohereErrors },
        },
      },
      async () => {
        const all = await newestFirst(spool.datasets, datasetSchema);
        return { organization_usage: all.reduce((sum, { source }) => sum + source.size, 0) };
      },
    );

    server.get(
      '/datasets/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'One dataset',
          params,
          response: { 200: z.strictObject({ dataset: datasetViewSchema }), ...cohereErrors },
        },
      },
      async (request) => {
        const dataset = await requireDataset(spool.datasets, request.params.id);
        return { dataset: viewOfDataset(dataset, request) };
      },
    );

    server.delete(
      '/datasets/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Delete a dataset',
          params,
          response: { 200: z.strictObject({}), ...cohereErrors },
        },
      },
      async (request) => {
        const { id } = await requireDataset(spool.datasets, request.params.id);
        await spool.datasets.remove(id);
        return {};
      },
    );
  };
}

/** Refuses options that are not supported. Errors: `invalid_request`. */
function assertDone({
  type,
  keep_original_file,
  text_separator,
  ...fields
}: z.output<typeof creating>): void {
  if (type !== 'embed-input') throw refusedField('type', `${type} is not supported; use embed-input`);
  if (keep_original_file === 'true')
    throw refusedField('keep_original_file', 'original files are not kept; leave it out');
  if (text_separator !== undefined)
    throw refusedField('text_separator', 'plain text is not supported; send JSON lines or CSV');
  const kept = [...(fields.keep_fields ?? []), ...(fields.optional_fields ?? [])];
  if (kept.includes('embeddings'))
    throw refusedField('keep_fields', 'the output stores the vectors in "embeddings"; rename the field');
}

/** The format of the form's file, by its name or its content type. Errors: `invalid_request`. */
function readingOf(
  { keep_fields, optional_fields, skip_malformed_input, csv_delimiter }: z.output<typeof creating>,
  { files: [file, another] }: FileForm,
): DatasetReading {
  if (file === undefined) throw refusedField('data', 'the form has no file');
  if (another !== undefined) throw refusedField('data', 'the form has several files; send one');
  const { delimiter, gzip = false } = file.named;
  // A file named like a document is read as JSON lines all the same.
  const format = file.named.format === 'document' ? 'ndjson' : (file.named.format ?? 'ndjson');
  if (format === 'parquet' || gzip) throw refusedField('data', 'send uncompressed JSON lines or CSV');
  if (csv_delimiter !== undefined && format !== 'csv')
    throw refusedField('csv_delimiter', 'the file is not a CSV: its name does not end in .csv');
  const required = new Set(keep_fields).difference(new Set(['text']));
  const optional = new Set(optional_fields).difference(required).difference(new Set(['text']));
  return {
    format,
    ...(format === 'csv' && { delimiter: csv_delimiter ?? delimiter }),
    required: [...required],
    optional: [...optional],
    skipMalformed: skip_malformed_input === 'true',
  };
}

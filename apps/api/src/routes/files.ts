import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { currentPrincipal, requireScope } from '../access/principal.ts';
import {
  clientFileSchema,
  EXPIRES_SECONDS,
  newestFirst,
  pageOf,
  pageSchema,
  requireFile,
  type ClientFile,
} from '../batches/client-records.ts';
import { fileView, fileViewOf } from '../batches/client-file-view.ts';
import type { FileForm } from '../ingest/file-form.ts';
import { keepForm, type KeptForm } from '../ingest/kept-form.ts';
import { openaiError, openaiErrors } from '../compatible/openai-shapes.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField, validateButBody } from '../http/problem.ts';
import { sendFile } from '../http/served-file.ts';
import { checkUploadHeaders, FORM_TYPE } from '../ingest/upload.ts';

const tags = ['openai'];
const FIELDS = ['purpose', 'expires_after[anchor]', 'expires_after[seconds]'] as const;

const deletedView = z.strictObject({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) });
const params = z.object({ id: z.string() });
const querystring = z.strictObject({
  purpose: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(10_000),
  order: z.enum(['asc', 'desc']).default('desc'),
  after: z.string().optional(),
});
const form = z.strictObject({
  file: z.string().meta({ format: 'binary', description: 'The requests, as one JSON object per line.' }),
  purpose: z.literal('batch'),
});

/** The part of OpenAI's files API that its batches need. */
export function fileRoutes({ spool, config, log }: ApiParts): FastifyPluginAsyncZod {
  const viewOf = (file: ClientFile) => fileViewOf(file, config.filesAgeMs);
  return async (server) => {
    answerErrorsAs(server, log, openaiError);
    server.addContentTypeParser(FORM_TYPE, async (_request: unknown, body: IncomingMessage) => body);

    server.post(
      '/files',
      {
        config: { access: 'submit', slot: 'upload' },
        schema: {
          tags,
          summary: 'Upload a file of requests for a batch',
          body: { content: { [FORM_TYPE]: { schema: form } } },
          response: { 200: fileView, ...openaiErrors },
        },
        validatorCompiler: validateButBody,
        onRequest: async ({ headers }) => checkUploadHeaders(headers, config.maxUploadBytes),
      },
      async (request) => {
        const form: KeptForm = {
          id: `file-${randomBytes(12).toString('hex')}`,
          what: 'file',
          parts: { fields: FIELDS },
          maxBytes: config.maxUploadBytes,
        };
        return keepForm(request, spool.files, form, async (received, source) => {
          const file = fileOf(form.id, received, source);
          await spool.files.keep(file.id, file);
          return viewOf(file);
        });
      },
    );

    server.get(
      '/files',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'List the files, page by page',
          querystring,
          response: {
            200: pageSchema(fileView),
            ...openaiErrors,
          },
        },
      },
      async ({ query: { purpose, order, ...where } }) => {
        const newest = (await newestFirst(spool.files, clientFileSchema)).filter(
          (file) => purpose === undefined || file.purpose === purpose,
        );
        const { page, ends } = pageOf(order === 'asc' ? newest.reverse() : newest, where);
        return { object: 'list' as const, data: page.map(viewOf), ...ends };
      },
    );

    server.get(
      '/files/:id',
      {
        config: { access: 'submit' },
        schema: { tags, summary: 'One file', params, response: { 200: fileView, ...openaiErrors } },
      },
      async (request) => viewOf(await requireFile(spool.files, request.params.id)),
    );

    server.get(
      '/files/:id/content',
      {
        config: { access: 'submit', slot: 'stream' },
        schema: {
          tags,
          summary: 'Download a file’s content, or a range of it',
          params,
          response: {
            200: {
              description: 'The file.',
              content: { 'application/octet-stream': { schema: z.string() } },
            },
            ...openaiErrors,
          },
        },
      },
      async (request, reply) => {
        requireScope('search', 'reading vectors');
        const { id, source, filename } = await requireFile(spool.files, request.params.id);
        const name = filename.replaceAll(/[^\w.-]/g, '_');
        const etag = `"${id}-${source.size}"`;
        return sendFile(request, reply, { source, etag, type: 'application/octet-stream', name }, spool);
      },
    );

    server.delete(
      '/files/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Delete a file',
          params,
          response: { 200: deletedView, ...openaiErrors },
        },
      },
      async (request) => {
        const { id } = await requireFile(spool.files, request.params.id);
        await spool.files.remove(id);
        return { id, object: 'file' as const, deleted: true as const };
      },
    );
  };
}

/** The form's fields. Errors: `invalid_request`. */
function fileOf(id: string, { files, fields }: FileForm, source: ClientFile['source']): ClientFile {
  const [file, another] = files;
  if (file === undefined) throw refusedField('file', 'the form has no file');
  if (another !== undefined) throw refusedField('file', 'the form has several files; upload one at a time');
  const said = new Map(fields);
  const purpose = said.get('purpose');
  if (purpose !== 'batch') {
    const message =
      purpose === undefined ? 'set the purpose of the file: batch' : `${purpose} is not supported; use batch`;
    throw refusedField('purpose', message);
  }
  const { tenant } = currentPrincipal();
  const createdAt = Date.now();
  const lasts = expiresAfter(said);
  return {
    id,
    filename: file.name,
    purpose,
    ...(tenant !== undefined && { tenant }),
    createdAt,
    ...(lasts !== undefined && { expiresAt: createdAt + 1000 * lasts }),
    source,
  };
}

function expiresAfter(said: ReadonlyMap<string, string>): number | undefined {
  const [anchor, lasts] = [said.get('expires_after[anchor]'), said.get('expires_after[seconds]')];
  if (anchor === undefined && lasts === undefined) return undefined;
  if (anchor !== 'created_at') throw refusedField('expires_after', 'the anchor must be created_at');
  const { least, most } = EXPIRES_SECONDS;
  const given = Number(lasts);
  if (lasts === undefined || !Number.isInteger(given) || given < least || given > most)
    throw refusedField('expires_after', `the seconds must be a whole number from ${least} to ${most}`);
  return given;
}

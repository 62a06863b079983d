import { createHash, randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EmbedmillError, parseKept, type StoredSource } from '@embedmill/jobs';
import { currentPrincipal } from '../access/principal.ts';
import { fileView, fileViewOf } from '../batches/client-file-view.ts';
import {
  clientFileSchema,
  EXPIRES_SECONDS,
  requireUpload,
  seconds,
  type ClientFile,
  type ClientUpload,
} from '../batches/client-records.ts';
import { FileForm } from '../ingest/file-form.ts';
import { openaiError, openaiErrors } from '../compatible/openai-shapes.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField, validateButBody } from '../http/problem.ts';
import { checkUploadHeaders, FORM_TYPE } from '../ingest/upload.ts';

const tags = ['openai'];
/** When an incomplete upload expires: later than OpenAI's hour, for uploads that take all night. */
const UPLOAD_MS = 24 * 3600 * 1000;

const asked = z.strictObject({
  filename: z
    .string()
    .min(1)
    .max(1024)
    .meta({ description: 'The name of the file, which determines its format.' }),
  purpose: z.literal('batch'),
  bytes: z.int().nonnegative().meta({ description: 'The size of all parts together.' }),
  mime_type: z.string().max(255),
  expires_after: z
    .strictObject({
      anchor: z.literal('created_at'),
      seconds: z.int().min(EXPIRES_SECONDS.least).max(EXPIRES_SECONDS.most),
    })
    .optional(),
});
const completion = z.strictObject({
  part_ids: z.array(z.string()).max(10_000).meta({ description: 'The ids of the parts, in order.' }),
  md5: z.string().optional().meta({ description: 'The MD5 of the whole file, in hexadecimal.' }),
});
const form = z.strictObject({ data: z.string().meta({ format: 'binary' }) });
const params = z.object({ id: z.string() });
const partView = z.strictObject({
  id: z.string(),
  object: z.literal('upload.part'),
  created_at: z.int(),
  upload_id: z.string(),
});
const uploadView = z.strictObject({
  id: z.string(),
  object: z.literal('upload'),
  bytes: z.int(),
  created_at: z.int(),
  expires_at: z.int(),
  filename: z.string(),
  purpose: z.literal('batch'),
  status: z.enum(['pending', 'completed', 'cancelled']),
  file: fileView.nullable(),
});

/**
 * OpenAI's multipart uploads. Each part may be sent again, also to another API process, until the upload is completed. An
 * interrupted part leaves nothing behind, and completing is idempotent.
 */
export function uploadRoutes({ spool, config, log }: ApiParts): FastifyPluginAsyncZod {
  return async (server) => {
    answerErrorsAs(server, log, openaiError);
    server.addContentTypeParser(FORM_TYPE, async (_request: unknown, body: IncomingMessage) => body);

    server.post(
      '/uploads',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Begin an upload in parts',
          body: asked,
          response: { 200: uploadView, ...openaiErrors },
        },
      },
      async ({ body: { filename, bytes, expires_after: expires } }) => {
        if (bytes > config.maxUploadBytes) {
          const message = `${bytes} bytes exceed this server’s limit of ${config.maxUploadBytes}; split the file`;
          throw new EmbedmillError('payload_too_large', message);
        }
        const { tenant } = currentPrincipal();
        const createdAt = Date.now();
        const upload: ClientUpload = {
          id: `upload_${randomBytes(12).toString('hex')}`,
          filename,
          bytes,
          ...(tenant !== undefined && { tenant }),
          createdAt,
          expiresAt: createdAt + UPLOAD_MS,
          ...(expires !== undefined && { fileSeconds: expires.seconds }),
        };
        await spool.uploads.keep(upload.id, upload);
        return viewOf(upload);
      },
    );

    server.get(
      '/uploads/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Get an upload and its received parts',
          params,
          response: {
            200: uploadView.extend({
              parts: z.array(z.strictObject({ id: z.string(), bytes: z.int() })),
            }),
            ...openaiErrors,
          },
        },
      },
      async ({ params: { id } }) => {
        const upload = await requireUpload(spool.uploads, id);
        const parts = await spool.uploads.parts(id);
        return {
          ...(await viewOf(upload)),
          parts: [...parts].map(([part, { size }]) => ({ id: part, bytes: size })),
        };
      },
    );

    server.post(
      '/uploads/:id/parts',
      {
        config: { access: 'submit', slot: 'upload' },
        schema: {
          tags,
          summary: 'Send a part',
          params,
          body: { content: { [FORM_TYPE]: { schema: form } } },
          response: { 200: partView, ...openaiErrors },
        },
        validatorCompiler: validateButBody,
        onRequest: async ({ headers }) => checkUploadHeaders(headers, config.maxUploadBytes),
      },
      async (request) => {
        const { body } = request as { body: unknown };
        if (!(body instanceof IncomingMessage))
          throw new EmbedmillError('unsupported_media_type', `send the part as ${FORM_TYPE}`);
        const upload = await requirePending(request.params.id);
        const id = `part_${Date.now().toString(36)}_${randomBytes(6).toString('hex')}`;
        const received = new FileForm(body, { file: 'data', fields: [] });
        await spool.uploads.writePart(upload.id, id, withinBytes(received.packed(), upload.bytes));
        if (received.files.length !== 1) throw refusedField('data', 'send exactly one part per request');
        return {
          id,
          object: 'upload.part' as const,
          created_at: seconds(Date.now()),
          upload_id: upload.id,
        };
      },
    );

    server.post(
      '/uploads/:id/complete',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Complete an upload: join its parts into a file',
          params,
          body: completion,
          response: { 200: uploadView, ...openaiErrors },
        },
      },
      async ({ params: { id }, body: { part_ids: ids, md5 } }) => {
        const upload = await requireUpload(spool.uploads, id);
        if (upload.file !== undefined) return viewOf(upload);
        await requirePending(id);
        const there = await spool.uploads.parts(id);
        const parts = ids.map((part, n) => {
          const found = there.get(part);
          if (found === undefined)
            throw refusedField(`part_ids/${n}`, `there is no part ${part.slice(0, 100)}`);
          return found;
        });
        const size = parts.reduce((sum, part) => sum + part.size, 0);
        if (size !== upload.bytes)
          throw refusedField(
            'part_ids',
            `the parts have ${size} bytes in total, but the upload has ${upload.bytes}`,
          );
        const file = await joined(upload, parts, md5);
        const completed = { ...upload, file: file.id };
        await spool.uploads.keep(id, completed);
        return viewOf(completed);
      },
    );

    server.post(
      '/uploads/:id/cancel',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Cancel an upload',
          params,
          response: { 200: uploadView, ...openaiErrors },
        },
      },
      async ({ params: { id } }) => {
        const cancelled: ClientUpload = { ...(await requirePending(id)), cancelled: true };
        await spool.uploads.keep(id, cancelled);
        return viewOf(cancelled);
      },
    );
  };

  async function requirePending(id: string): Promise<ClientUpload> {
    const upload = await requireUpload(spool.uploads, id);
    if (upload.file === undefined && upload.cancelled === undefined) return upload;
    throw refusedField(
      'upload_id',
      `the upload is ${upload.file === undefined ? 'cancelled' : 'completed'}; begin another`,
    );
  }

  async function joined(
    { filename, tenant, fileSeconds, id: upload }: ClientUpload,
    parts: readonly StoredSource[],
    md5: string | undefined,
  ): Promise<ClientFile> {
    // Named after its upload, so that two concurrent completions make one file.
    const id = `file-${upload.slice('upload_'.length)}`;
    const digest = createHash('md5');
    async function* bytes(): AsyncGenerator<Uint8Array> {
      for (const part of parts)
        for await (const some of spool.readSource(part)) {
          digest.update(some);
          yield some;
        }
      const found = digest.digest('hex');
      if (md5 !== undefined && found !== md5.toLowerCase())
        throw refusedField('md5', `the joined parts have the MD5 ${found}; send the wrong parts again`);
    }
    const source = await spool.files.write(id, bytes());
    const createdAt = Date.now();
    const file: ClientFile = {
      id,
      filename,
      purpose: 'batch',
      ...(tenant !== undefined && { tenant }),
      createdAt,
      ...(fileSeconds !== undefined && { expiresAt: createdAt + 1000 * fileSeconds }),
      source,
    };
    await spool.files.keep(id, file);
    return file;
  }

  async function viewOf(upload: ClientUpload): Promise<z.infer<typeof uploadView>> {
    const { id, bytes, createdAt, expiresAt, filename, file, cancelled } = upload;
    // The file may have expired meanwhile.
    const kept = file === undefined ? undefined : await spool.files.read(file);
    return {
      id,
      object: 'upload',
      bytes,
      created_at: seconds(createdAt),
      expires_at: seconds(expiresAt),
      filename,
      purpose: 'batch',
      status: file !== undefined ? 'completed' : cancelled === true ? 'cancelled' : 'pending',
      file: kept === undefined ? null : fileViewOf(parseKept(clientFileSchema, kept), config.filesAgeMs),
    };
  }
}

/** Rejects a part that is larger than the whole upload may be. */
async function* withinBytes(bytes: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const some of bytes) {
    size += some.length;
    if (size > most) throw refusedField('data', `the part exceeds the upload’s total of ${most} bytes`);
    yield some;
  }
}

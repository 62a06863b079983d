import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  columnsSchema,
  embeddingProfileSchema,
  EmbedmillError,
  encodingOfNamed,
  formatOfMediaType,
  formatOfName,
  maxFailuresSchema,
  outputFormatSchema,
  outputRequestSchema,
  MEDIA_TYPES,
  parseJson,
  prioritySchema,
  readingSchema,
  snapshotOptionsSchema,
  sourceFormatSchema,
  webhookSchema,
  type NamedFormat,
  type SaidFormat,
  type SourceEncoding,
  type Webhook,
} from '@embedmill/jobs';
import { JsonBounds, type JsonLimits } from '../http/json-bounds.ts';
import { readBody } from '../http/json-body.ts';
import { jsonParameter } from '../http/json-parameter.ts';
import { textOfBody } from '../http/json-text.ts';

/**
 * Receives bodies: NDJSON, CSV and Parquet are passed to the handler as streams, JSON is read whole up to
 * `MAX_INLINE_BYTES`. A request that is refused before its body is read still gets its response: the rest of its body
 * is discarded for a while, because closing the connection would lose the response.
 */
export const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl'];
/** Many files in one body. */
export const FORM_TYPE = 'multipart/form-data';
/** For a body that is one document. */
const DOCUMENT_TYPES = [
  MEDIA_TYPES.document,
  'text/html',
  'text/markdown',
  'application/pdf',
  'application/epub+zip',
  'message/rfc822',
];
/** For Word and OpenDocument, PowerPoint and Excel. */
const OFFICE_TYPE = /^application\/vnd\.(?:openxmlformats-officedocument|oasis\.opendocument)\./;
const STREAMED_TYPES = [
  ...NDJSON_TYPES,
  MEDIA_TYPES.csv,
  'text/tab-separated-values',
  MEDIA_TYPES.parquet,
  'application/x-parquet',
  'application/gzip',
  ...DOCUMENT_TYPES,
  FORM_TYPE,
];
export const MAX_INLINE_BYTES = 256 * 1024;
export const MAX_INLINE_DOCUMENTS = 256;
/** For requests that create a job. */
export const idempotencyHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .optional()
    .meta({ description: 'Repeated requests with the same key and the same body return the same job.' }),
});
/** For uploads: the receiver to notify of the job's end. */
export const webhookHeaders = z.looseObject({
  'embedmill-webhook-url': z
    .string()
    .optional()
    .meta({ description: 'The receiver to notify of the job’s end.' }),
  'embedmill-webhook-secret': z.string().optional().meta({ description: 'The secret that signs messages.' }),
  'embedmill-webhook-failures': z.string().optional().meta({
    description:
      'Also notify when this many documents have failed; a value below 1 is a share of all documents.',
  }),
});

/** The webhook in an upload's headers. Errors: `invalid_request`. */
export function webhookOfHeaders(headers: IncomingMessage['headers']): Webhook | undefined {
  const given = webhookHeaders.parse(headers);
  const [url, secret, failures] = Object.keys(webhookHeaders.shape).map((name) => given[name]);
  if (url === undefined && secret === undefined && failures === undefined) return undefined;
  const parsed = webhookSchema.safeParse({
    url,
    secret,
    ...(failures !== undefined && { failures: Number(failures) }),
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const message = `the header Embedmill-Webhook-${issue?.path.join('-') || 'Url'}: ${issue?.message}`;
  throw new EmbedmillError('invalid_request', message);
}
/** A few documents, with room for metadata. */
const SUBMISSION_JSON: JsonLimits = { values: 32_768, containers: 16_384 };
/** How long the rest of a refused body is discarded before the connection is closed. */
const LINGER_MS = 5000;

/** A body of JSON, with the hash of its bytes. */
export interface JsonBody {
  value: unknown;
  sha256: string;
}

/**
 * The server's handling of connections: `Expect: 100-continue` is answered once the body is wanted, refusals reach the
 * client, and a closing server does not wait for connections that have received their response.
 */
export function receiveBodies(server: FastifyInstance): void {
  const awaiting = new WeakSet<IncomingMessage>();
  let closing = false;
  server.addHook('preClose', async () => {
    closing = true;
  });
  server.server.on('checkContinue', (request, response) => {
    awaiting.add(request);
    server.routing(request, response);
  });
  server.addHook('preParsing', async (request, reply) => {
    if (awaiting.delete(request.raw)) reply.raw.writeContinue();
  });
  server.addHook('onSend', async (request, reply) => {
    if (closing || awaiting.has(request.raw)) reply.header('connection', 'close');
    else if (!request.raw.complete) reply.removeHeader('connection');
  });
  server.addHook('onResponse', async (request) => {
    const { raw } = request;
    if (raw.complete || raw.destroyed) return;
    const cut = setTimeout(() => raw.destroy(), LINGER_MS).unref();
    raw.once('close', () => clearTimeout(cut)).once('end', () => clearTimeout(cut));
    raw.resume();
  });
}

/** Parsers for submissions; only for the plugin with that route. */
export function parseSubmissions(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  for (const types of [STREAMED_TYPES, OFFICE_TYPE])
    server.addContentTypeParser(types, async (_request: FastifyRequest, body: IncomingMessage) => body);
  server.addContentTypeParser('application/json', async (_request: FastifyRequest, body: IncomingMessage) =>
    readJson(body),
  );
  server.addContentTypeParser('*', async (request: FastifyRequest) => {
    const type = request.headers['content-type'] ?? 'none';
    throw new EmbedmillError(
      'unsupported_media_type',
      `the Content-Type is ${type}; send documents as application/x-ndjson, ${MEDIA_TYPES.csv} or ${MEDIA_TYPES.parquet}, many files as ${FORM_TYPE}, or a few as application/json`,
    );
  });
}

/** Refuses a request that is invalid by its headers. */
export function checkUploadHeaders(headers: FastifyRequest['headers'], maxBytes: number): void {
  const encoding = headers['content-encoding'] ?? 'identity';
  const isJson = headers['content-type']?.startsWith('application/json') === true;
  if (encoding !== 'identity' && encoding !== 'gzip' && !isJson) {
    const message = `the Content-Encoding is ${encoding.slice(0, 100)}; send the documents uncompressed, or as gzip`;
    throw new EmbedmillError('unsupported_media_type', message);
  }
  if (encoding !== 'identity' && isForm(headers)) {
    const message =
      'a form of files cannot be compressed as a whole; compress its files, or send them uncompressed';
    throw new EmbedmillError('unsupported_media_type', message);
  }
  if ((expectedBytes(headers) ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

const columnsParameter = jsonParameter('{"id":"sku","text":"body"}').pipe(columnsSchema.optional());

const metadataParameter = z
  .string()
  .optional()
  .transform((text) =>
    text === undefined || text === 'rest' ? text : text.split(',').map((name) => name.trim()),
  )
  .pipe(readingSchema.shape.metadata);

const maxFailuresParameter = z
  .string()
  .optional()
  .transform((text) => (text === undefined || text.endsWith('%') ? text : Number(text)))
  .pipe(maxFailuresSchema.optional());

const maxDeletedParameter = z
  .string()
  .optional()
  .transform((text) => (text === undefined || text.endsWith('%') ? text : Number(text)))
  .pipe(snapshotOptionsSchema.shape.maxDeleted);

/** The options of an upload's query for its format and the job. */
export const uploadQuerySchema = z.strictObject({
  format: sourceFormatSchema
    .optional()
    .meta({ description: 'The format; by default that of the Content-Type.' }),
  name: z.string().min(1).max(1024).optional().meta({
    description: 'For a body that is one document, such as a PDF: its name, which becomes the document’s id.',
  }),
  columns: columnsParameter.meta({
    description: 'The columns of fields, as JSON, such as {"id":"sku","text":"body"}.',
  }),
  metadata: metadataParameter.meta({
    description: 'The columns that become metadata, separated by commas; or `rest` for all other columns.',
  }),
  mode: snapshotOptionsSchema.shape.mode,
  sourceName: snapshotOptionsSchema.shape.sourceName,
  maxDeleted: maxDeletedParameter.meta({ description: 'As in the JSON body: a share such as 0.5 or 50%.' }),
  dryRun: z
    .enum(['true', 'false'])
    .optional()
    .transform((text) => text === 'true')
    .meta({ description: 'As in the JSON body: `true` writes nothing and reports what would change.' }),
  maxFailures: maxFailuresParameter.meta({
    description: 'As in the JSON body: a whole number, or a share such as 0.05 or 5%.',
  }),
  delimiter: readingSchema.shape.delimiter,
  encoding: readingSchema.shape.encoding,
  listSeparator: readingSchema.shape.listSeparator,
  priority: prioritySchema.optional().meta({
    description: 'Its priority among the tenant’s jobs; `normal` by default.',
  }),
});

/** For an upload whose vectors go to a file. */
export const embeddingQuerySchema = uploadQuerySchema
  .omit({ mode: true, maxDeleted: true, dryRun: true })
  .extend({
    output: outputFormatSchema
      .optional()
      .meta({ description: 'For a body that is not JSON: the format of the output file.' }),
    to: outputRequestSchema.shape.to,
    profile: jsonParameter('{"model":"all-MiniLM-L6-v2"}')
      .pipe(embeddingProfileSchema.prefault({}))
      .meta({ description: 'How each document is embedded, as JSON, as in a collection’s profile.' }),
  });

/** Whether the body has many files. */
export function isForm(headers: FastifyRequest['headers']): boolean {
  return headers['content-type']?.toLowerCase().startsWith(FORM_TYPE) === true;
}

type UploadQuery = Pick<
  z.output<typeof uploadQuerySchema>,
  'format' | 'name' | 'columns' | 'metadata' | 'delimiter' | 'encoding' | 'listSeparator'
>;

/** The options of an upload's query for how to read it. */
export function saidOf(query: UploadQuery): SaidFormat {
  const { format, columns, metadata, delimiter, encoding, listSeparator } = query;
  return { format, columns, metadata, delimiter, encoding, listSeparator };
}

/** How to read an upload; undefined for plain NDJSON. Errors: `invalid_request`. */
export function uploadEncoding(
  query: UploadQuery,
  headers: FastifyRequest['headers'],
): SourceEncoding | undefined {
  const said = saidOf(query);
  const type = headers['content-type'] ?? '';
  const gzip = headers['content-encoding'] === 'gzip' || type.startsWith('application/gzip');
  const named = type.startsWith(MEDIA_TYPES.document) ? formatOfUntold(query.name) : formatOfMediaType(type);
  const encoding = encodingOfNamed({ ...named, gzip }, said);
  if (encoding?.format !== 'document') return encoding;
  if (query.name === undefined) {
    const message = 'name: the body is a document; give its name, such as ?name=guide.pdf';
    throw new EmbedmillError('invalid_request', message, { details: [{ path: 'name', message }] });
  }
  return { ...encoding, name: query.name };
}

/**
 * Browsers and scripts send unknown files as octet streams: then the name determines the format, otherwise it is a
 * document.
 */
function formatOfUntold(name = ''): NamedFormat {
  const named = formatOfName(name);
  return { ...named, format: named.format ?? 'document' };
}

/** What the Content-Length announces; undefined for a chunked body. */
export function expectedBytes(headers: FastifyRequest['headers']): number | undefined {
  return headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
}

async function readJson(body: IncomingMessage): Promise<JsonBody> {
  const whole = await readBody(body, MAX_INLINE_BYTES, new JsonBounds(SUBMISSION_JSON)).catch(
    (error: unknown) => {
      const isTooLarge = error instanceof EmbedmillError && error.code === 'payload_too_large';
      throw isTooLarge ? tooLargeInline(error.message) : error;
    },
  );
  const sha256 = createHash('sha256').update(whole).digest('hex');
  const text = textOfBody(whole);
  try {
    return { value: parseJson(text), sha256 };
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 300) : String(error);
    throw new EmbedmillError('invalid_json', `the body is not valid JSON: ${reason}`, { cause: error });
  }
}

export function tooLargeInline(what: string): EmbedmillError {
  const message = `${what}; send more than ${MAX_INLINE_DOCUMENTS} documents or ${MAX_INLINE_BYTES} bytes as application/x-ndjson, one document per line`;
  return new EmbedmillError('payload_too_large', message);
}

function tooLarge(maxBytes: number): EmbedmillError {
  const message = `the body exceeds this server’s limit of ${maxBytes} bytes; split it into several jobs`;
  return new EmbedmillError('payload_too_large', message);
}

/** A body's bytes, up to this many. Errors: `payload_too_large`. */
export async function* boundedBytes(
  bytes: AsyncIterable<Uint8Array>,
  most: number,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const some of bytes) {
    size += some.length;
    if (size > most) throw tooLarge(most);
    yield some;
  }
}

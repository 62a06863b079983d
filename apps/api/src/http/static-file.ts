import { hash } from 'node:crypto';
import { extname } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};
/** Files that are already compressed gain nothing. */
const COMPRESSED = new Set(['.png', '.ico', '.woff2']);
/** Nearly as small as with the highest level, in a tenth of the time. */
const BROTLI_QUALITY = 9;

/** The encodings, best first. */
const ENCODINGS = ['br', 'gzip'] as const;
type Encoding = (typeof ENCODINGS)[number];

/** A static file in each encoding. */
export interface StaticFile {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly encoded: Readonly<Partial<Record<Encoding, Buffer>>>;
}

/** Whether files of this name are served. */
export function isStatic(name: string): boolean {
  return extname(name) in TYPES;
}

/** Compresses the file, which takes a while for large ones. */
export async function staticFile(name: string, plain: Buffer): Promise<StaticFile> {
  const extension = extname(name);
  return {
    type: TYPES[extension] ?? 'application/octet-stream',
    etag: `"${hash('sha256', plain, 'base64url').slice(0, 22)}"`,
    plain,
    encoded: COMPRESSED.has(extension) ? {} : await compressed(plain),
  };
}

/** Responds with a file, or with 304 if the client already has it. */
export function sendStatic(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { type, etag, plain, encoded }: StaticFile,
): FastifyReply {
  void reply.header('etag', etag).header('vary', 'accept-encoding');
  if (headers['if-none-match']?.includes(etag) === true) return reply.code(304).send();
  const encoding = acceptedEncoding(headers['accept-encoding']);
  const body = encoding === undefined ? undefined : encoded[encoding];
  if (encoding !== undefined && body !== undefined) void reply.header('content-encoding', encoding);
  return reply.type(type).send(body ?? plain);
}

async function compressed(plain: Buffer): Promise<StaticFile['encoded']> {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
  };
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(plain, { params }),
    promisify(gzip)(plain, { level: 9 }),
  ]);
  return { br, gzip: gz };
}

/** The best of our encodings that an `Accept-Encoding` accepts; undefined if none. */
export function acceptedEncoding(accepted: string | undefined): Encoding | undefined {
  const taken = new Set(
    (accepted ?? '').split(',').flatMap((one) => {
      const [name = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
      return parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? [] : [name];
    }),
  );
  return ENCODINGS.find((encoding) => taken.has(encoding));
}

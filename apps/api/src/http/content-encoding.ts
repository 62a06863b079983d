import { pipeline, Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { EmbedmillError } from '@embedmill/jobs';

/** By the names of RFC 9110, section 8.4.1, and RFC 8878. */
const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/**
 * Decodes a body's Content-Encoding on demand: a reader that stops at a limit has decoded at most one buffer beyond it.
 * Errors: `unsupported_media_type`, `invalid_request` if the bytes are not validly encoded.
 */
export function decodedBytes(
  chunks: AsyncIterable<Buffer>,
  contentEncoding: string | undefined,
): AsyncIterable<Buffer> {
  const encoding = contentEncoding?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity') return chunks;
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding]?.() : undefined;
  if (decoder === undefined) {
    const message = `the Content-Encoding is ${encoding.slice(0, 100)}; send the body unencoded, or as one of ${Object.keys(DECODERS).join(', ')}`;
    throw new EmbedmillError('unsupported_media_type', message);
  }
  return decoded(chunks, decoder, encoding);
}

async function* decoded(
  chunks: AsyncIterable<Buffer>,
  decoder: Transform,
  encoding: string,
): AsyncGenerator<Buffer, void> {
  // Errors also reach the loop below.
  pipeline(Readable.from(chunks), decoder, () => undefined);
  try {
    yield* decoder as AsyncIterable<Buffer>;
  } catch (cause) {
    if (cause instanceof EmbedmillError || !isDecoding(cause)) throw cause;
    throw new EmbedmillError('invalid_request', `the body is not valid ${encoding}: ${cause.message}`, {
      cause,
    });
  }
}

/** Decoders' errors also have their own numbers; connections' errors have the system's. */
function isDecoding(error: unknown): error is Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(Z_|ZSTD_|ERR_(_|BROTLI|ZLIB|ZSTD))/.test(code);
}

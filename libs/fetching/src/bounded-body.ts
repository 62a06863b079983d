import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';

/** More bytes than allowed. */
export class BodyTooLarge extends Error {}
/** An unknown encoding, or bytes that are invalid in it. */
export class BodyEncoding extends Error {}

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
};

export const ACCEPT_ENCODING = 'gzip, deflate, br, zstd';

/** The minimum pace of a body: this many decoded bytes in each period of this many milliseconds. */
export interface Pace {
  readonly bytes: number;
  readonly milliseconds: number;
}

/**
 * Decodes a body's `content-encoding`. Limits apply to the decoded bytes as they arrive: neither a false
 * `content-length` nor a decompression bomb gets past `maxBytes`, and an occasional byte, or input that decodes to
 * nothing, does not keep the pace. Throws `BodyTooLarge`, `BodyEncoding`, an Error when the body is too slow, and
 * whatever the body throws. The body is always destroyed when reading ends.
 */
export async function* boundedBody(
  body: Readable,
  encoding: string | undefined,
  maxBytes: number,
  pace?: Pace,
): AsyncGenerator<Uint8Array, void> {
  let total = 0;
  let before = 0;
  const watch =
    pace &&
    setInterval(() => {
      if (total - before < pace.bytes) body.destroy(new Error('the server sends too slowly'));
      before = total;
    }, pace.milliseconds);
  try {
    for await (const chunk of decoded(body, encoding)) {
      const bytes = chunk as Uint8Array;
      total += bytes.length;
      if (total > maxBytes) throw new BodyTooLarge();
      yield bytes;
    }
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
    if (/^(Z_|ERR_BROTLI|ERR__ERROR|ZSTD_)/.test(code))
      throw new BodyEncoding(String(thrown), { cause: thrown });
    throw thrown;
  } finally {
    clearInterval(watch);
    body.on('error', () => undefined).destroy();
  }
}

function decoded(body: Readable, encoding = 'identity'): Readable {
  const name = encoding.trim().toLowerCase();
  if (name === 'identity' || name === '') return body;
  const decoder = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
  if (decoder === undefined)
    throw new BodyEncoding(`content-encoding ${JSON.stringify(encoding)} is not supported`);
  // Errors reach the reader of the decoder.
  return pipeline(body, decoder(), () => undefined);
}

import { EmbedmillError } from '@embedmill/jobs';

/** The maximum ratio of unpacked to stored bytes; a table of texts reaches at most 20. */
const LARGEST_RATIO = 200;
/** The ratio is not checked below this size. */
const HARMLESS_BYTES = 64 * 1024 * 1024;

export interface Bounds {
  /** The source's size as stored, in bytes. */
  sourceBytes: number;
  maxBytes: number;
}

/** Passes on bytes unpacked from a source. Errors: `payload_too_large` once they exceed the limit. */
export async function* bounded(
  bytes: AsyncIterable<Uint8Array>,
  { sourceBytes, maxBytes }: Bounds,
): AsyncGenerator<Uint8Array> {
  const plausible = Math.max(HARMLESS_BYTES, sourceBytes * LARGEST_RATIO);
  let given = 0;
  for await (const chunk of bytes) {
    given += chunk.length;
    if (given > maxBytes) {
      const message = `the unpacked source exceeds this server’s limit of ${maxBytes} bytes; split it into several`;
      throw new EmbedmillError('payload_too_large', message);
    }
    if (given > plausible) {
      const message = `the source unpacks to more than ${LARGEST_RATIO} times its ${sourceBytes} bytes, which is implausible for documents; unpack it yourself and submit the result`;
      throw new EmbedmillError('payload_too_large', message);
    }
    yield chunk;
  }
}

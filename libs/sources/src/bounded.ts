import { EmbedmillError } from '@embedmill/jobs';

/** What becomes of a source may have this many times its bytes; a table of texts comes to 20 at most. */
const LARGEST_RATIO = 200;
/** Below this a ratio says nothing. */
const HARMLESS_BYTES = 64 * 1024 * 1024;

export interface Bounds {
  /** Bytes of the source as it is stored. */
  sourceBytes: number;
  maxBytes: number;
}

/** Passes bytes on that were unpacked from a source. Errors: `payload_too_large` once they are more than it should hold. */
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

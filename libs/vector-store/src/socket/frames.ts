import { EmbedmillError } from '@embedmill/jobs';
import { deserialize, serialize } from 'node:v8';

/**
 * Values as frames: the length in four bytes, little-endian, then the value as serialized by V8. Typed arrays keep
 * their type; only the viewed part of a buffer is sent.
 */
const HEADER = 4;

/** The maximum size of a frame in bytes: about 60,000 chunks of a document with vectors of 768 numbers. */
export const LARGEST_FRAME = 256 * 1024 * 1024;

/** @throws EmbedmillError `store_rejected` if the value exceeds the maximum frame. */
export function encodeFrame(value: unknown, largest = LARGEST_FRAME): Buffer {
  const body = serialize(value);
  if (body.length > largest) {
    throw new EmbedmillError(
      'store_rejected',
      `${body.length} bytes exceed the limit of the store's socket (${largest}); send fewer documents`,
    );
  }
  const frame = Buffer.allocUnsafe(HEADER + body.length);
  frame.writeUInt32LE(body.length, 0);
  body.copy(frame, HEADER);
  return frame;
}

/** Parses a stream of bytes into the values of its frames. */
export class FrameReader {
  readonly #largest: number;
  readonly #header = Buffer.alloc(HEADER);
  #headerFilled = 0;
  #body: Buffer | undefined;
  #bodyFilled = 0;

  constructor(largest = LARGEST_FRAME) {
    this.#largest = largest;
  }

  /**
   * The values that `bytes` complete.
   *
   * @throws EmbedmillError `store_rejected` for an oversized or invalid frame; the stream is then unusable.
   */
  push(bytes: Buffer): unknown[] {
    const values: unknown[] = [];
    for (let at = 0; at < bytes.length;) {
      if (this.#body === undefined) {
        const copied = bytes.copy(this.#header, this.#headerFilled, at);
        at += copied;
        this.#headerFilled += copied;
        if (this.#headerFilled < HEADER) break;
        this.#body = this.#allocate(this.#header.readUInt32LE(0));
        this.#bodyFilled = 0;
      }
      const copied = bytes.copy(this.#body, this.#bodyFilled, at);
      at += copied;
      this.#bodyFilled += copied;
      if (this.#bodyFilled < this.#body.length) break;
      values.push(decode(this.#body));
      this.#body = undefined;
      this.#headerFilled = 0;
    }
    return values;
  }

  #allocate(length: number): Buffer {
    if (length === 0 || length > this.#largest) {
      throw new EmbedmillError(
        'store_rejected',
        `the store's socket received a frame of ${length} bytes, which is too large; what sent it?`,
      );
    }
    return Buffer.allocUnsafeSlow(length);
  }
}

function decode(body: Buffer): unknown {
  try {
    return deserialize(body);
  } catch (thrown) {
    throw new EmbedmillError('store_rejected', "the store's socket received an unreadable frame", {
      cause: thrown,
    });
  }
}

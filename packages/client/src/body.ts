/**
 * Submitted documents as the body of a request: a stream of chunks, each requested when the connection has room. Only the
 * chunk that is being filled is in memory.
 */
import { chunksOf } from './lines.ts';
import type { Document } from './schemas.ts';

/** Bytes in a file format, or documents, which become lines of NDJSON. */
export type Chunks = AsyncIterable<Document | Uint8Array> | Iterable<Document | Uint8Array>;

/** A source that can be opened repeatedly, such as a `Blob` or a `File`. */
export interface Openable {
  stream(): ReadableStream<Uint8Array> | Chunks;
  /** Its media type; NDJSON by default. */
  readonly type?: string;
}

/** A source that can be read from any byte on, such as a `Blob` or a `File`. */
export interface Sliceable {
  readonly size: number;
  slice(from: number, to: number): { stream(): ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> };
}

/**
 * The documents of a job: a file, a stream of bytes, or documents from an array or a database cursor. An `Openable` or an
 * array is sent again if the connection breaks.
 */
export type Documents = Openable | ReadableStream<Uint8Array> | Chunks;

/** The least characters of a chunk of documents, unless they arrive slowly. */
const CHUNK_CHARACTERS = 64 * 1024;
/** The server refuses a body that sends nothing for some seconds. */
const SLOW_MS = 1000;

/** Whether it can be sent again. */
export function isRepeatable(documents: Documents): boolean {
  return isOpenable(documents) || Array.isArray(documents);
}

/** Whether it can be sent in parts. */
export function isSliceable(documents: Documents): documents is Openable & Sliceable {
  return isOpenable(documents) && 'size' in documents && 'slice' in documents;
}

/** One transmission of the documents. Its creator closes it, whatever the outcome of the request. */
export class Body {
  #failure: { error: unknown } | undefined;
  readonly #chunks: AsyncGenerator<Uint8Array>;
  readonly #onSent: (bytes: number) => void;

  constructor(documents: Documents, onSent: (bytes: number) => void = () => {}) {
    const opened = isOpenable(documents) ? documents.stream() : documents;
    this.#chunks = bytesOf(isStream(opened) ? chunksOf(opened) : opened);
    this.#onSent = onSent;
  }

  /** The body for the request. */
  async request() {
    const stream = this.#stream();
    return {
      // Over HTTP/1.1, a browser cannot stream a body; it keeps a large one on disk.
      body: (isBrowser() ? await new Response(stream).blob() : stream) as never,
      bodySerializer: <T>(body: T) => body,
      duplex: 'half' as const,
    };
  }

  /** Why it was not sent: an error of the documents is more specific than the request that failed because of it. */
  reasonOf(error: unknown): unknown {
    return this.#failure === undefined ? error : this.#failure.error;
  }

  /** A stream that reads documents on demand. */
  #stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let sent = 0;
    return new ReadableStream(
      {
        pull: async (controller) => {
          try {
            const { done, value } = await this.#chunks.next();
            if (done === true) return controller.close();
            controller.enqueue(value as Uint8Array<ArrayBuffer>);
            sent += value.length;
            this.#onSent(sent);
          } catch (error) {
            this.#failure = { error };
            controller.error(error);
          }
        },
        cancel: () => this.close(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Not awaited, because it would not end if nothing arrives. */
  close(): void {
    void this.#chunks.return(undefined).catch(() => undefined);
  }
}

async function* bytesOf(chunks: Chunks): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let text = '';
  let flushed = performance.now();
  for await (const chunk of chunks) {
    if (!(chunk instanceof Uint8Array)) text += `${JSON.stringify(chunk)}\n`;
    const isDue = text.length >= CHUNK_CHARACTERS || performance.now() - flushed > SLOW_MS;
    if (text !== '' && (isDue || chunk instanceof Uint8Array)) {
      yield encoder.encode(text);
      text = '';
      flushed = performance.now();
    }
    if (chunk instanceof Uint8Array) yield chunk;
  }
  if (text !== '') yield encoder.encode(text);
}

function isOpenable(documents: Documents): documents is Openable {
  return 'stream' in documents && typeof documents.stream === 'function';
}

function isStream(opened: ReadableStream<Uint8Array> | Chunks): opened is ReadableStream<Uint8Array> {
  return 'getReader' in opened;
}

function isBrowser(): boolean {
  return globalThis.navigator?.userAgent?.startsWith('Mozilla/') === true;
}

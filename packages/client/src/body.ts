/**
 * What is submitted, as the body of a request: bytes as they come, one chunk at a time, asked for when the connection has
 * room for it. Nothing is held but the chunk that is being filled.
 */
import { chunksOf } from './lines.ts';
import type { Document } from './schemas.ts';

/** Bytes in a file's format, or documents, which become lines of NDJSON. */
export type Chunks = AsyncIterable<Document | Uint8Array> | Iterable<Document | Uint8Array>;

/** What can be opened again and again, as a `Blob` or a `File` can. */
export interface Openable {
  stream(): ReadableStream<Uint8Array> | Chunks;
  /** Its media type; NDJSON by default. */
  readonly type?: string;
}

/** What can be read from any byte on, as a `Blob` or a `File` can. */
export interface Sliceable {
  readonly size: number;
  slice(from: number, to: number): { stream(): ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> };
}

/**
 * The documents of a job: a file, a stream of bytes, or documents one by one, from an array or a database's cursor. What
 * can be opened again, an `Openable` or an array, is sent again when the connection breaks.
 */
export type Documents = Openable | ReadableStream<Uint8Array> | Chunks;

/** Documents are sent in chunks of at least so many characters, unless they come slowly. */
const CHUNK_CHARACTERS = 64 * 1024;
/** A body that nothing comes of for some seconds is refused. */
const SLOW_MS = 1000;

/** Whether it gives the same again. */
export function isRepeatable(documents: Documents): boolean {
  return isOpenable(documents) || Array.isArray(documents);
}

/** Whether it can be sent part by part. */
export function isSliceable(documents: Documents): documents is Openable & Sliceable {
  return isOpenable(documents) && 'size' in documents && 'slice' in documents;
}

/** One sending of the documents. Whoever made it closes it, whatever became of the request. */
export class Body {
  #failure: { error: unknown } | undefined;
  readonly #chunks: AsyncGenerator<Uint8Array>;
  readonly #onSent: (bytes: number) => void;

  constructor(documents: Documents, onSent: (bytes: number) => void = () => {}) {
    const opened = isOpenable(documents) ? documents.stream() : documents;
    this.#chunks = bytesOf(isStream(opened) ? chunksOf(opened) : opened);
    this.#onSent = onSent;
  }

  /** What a request is given. */
  async request() {
    const stream = this.#stream();
    return {
      // A browser sends no body that is still being made, over HTTP/1.1; it keeps a large one on disk.
      body: (isBrowser() ? await new Response(stream).blob() : stream) as never,
      bodySerializer: <T>(body: T) => body,
      duplex: 'half' as const,
    };
  }

  /** Why it was not sent: what the documents failed with says more than the request that broke because of it. */
  reasonOf(error: unknown): unknown {
    return this.#failure === undefined ? error : this.#failure.error;
  }

  /** A stream that takes from the documents as it is read. */
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

  /** Not waited for: where nothing comes, it would not end. */
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

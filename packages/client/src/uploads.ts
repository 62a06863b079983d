import { Body, type Sliceable } from './body.ts';
import type { CallOptions, Connection } from './connection.ts';
import { EmbedmillError } from './error.ts';
import { chunksOf } from './lines.ts';
import { pause } from './pause.ts';

export interface UploadOptions extends CallOptions {
  /** The size of a part, which is lost if the connection breaks; in bytes. */
  partBytes?: number | undefined;
  /** How long the server may be unavailable before the upload fails, in milliseconds. */
  patienceMs?: number | undefined;
  /** Called with the number of bytes sent so far. */
  onSent?: ((bytes: number) => void) | undefined;
  /** Called for each failure that is retried. */
  onRetry?: ((error: EmbedmillError) => void) | undefined;
}

export const PART_BYTES = 16 * 1024 * 1024;
/** The most parts that the server joins. */
const MOST_PARTS = 10_000;
const PATIENCE_MS = 300_000;
/** The server removes a file without a job after a day. */
const FILE_SECONDS = 24 * 3600;

/**
 * Uploads a file in parts. If the connection breaks, or the server is restarted, it asks for the received parts and sends only
 * the interrupted part again. Errors: those of the catalogue, and those of reading the file.
 */
export class Upload {
  readonly #server: Connection;
  readonly #id: string;
  readonly #file: Sliceable;
  readonly #options: UploadOptions;
  /** The received parts, in order. */
  readonly #parts: string[] = [];
  /** Whether a part may have been received twice; then an unknown part may be any of them. */
  #isDoubtful = false;

  private constructor(server: Connection, id: string, file: Sliceable, options: UploadOptions) {
    this.#server = server;
    this.#id = id;
    this.#file = file;
    this.#options = options;
  }

  static async begin(
    server: Connection,
    file: Sliceable,
    filename: string,
    options: UploadOptions,
  ): Promise<Upload> {
    const body = {
      filename,
      purpose: 'batch' as const,
      bytes: file.size,
      mime_type: 'application/octet-stream',
      expires_after: { anchor: 'created_at' as const, seconds: FILE_SECONDS },
    };
    const { id } = await server.read((api, init) => api.POST('/v1/uploads', { ...init, body }), options);
    return new Upload(server, id, file, options);
  }

  /** Sends the whole file; returns the id of the completed file. */
  async send(): Promise<string> {
    const { size } = this.#file;
    const bytes = Math.max(this.#options.partBytes ?? PART_BYTES, Math.ceil(size / MOST_PARTS));
    for (let from = 0; from < size; from += bytes) {
      this.#parts.push(await this.#sendPart(from, Math.min(from + bytes, size)));
    }
    return this.#complete();
  }

  async #sendPart(from: number, to: number): Promise<string> {
    let tries = 0;
    const part = await this.#patiently(async () => {
      // Perhaps only its response was lost.
      const there = tries > 0 && !this.#isDoubtful ? await this.#unknownPart(to - from) : undefined;
      if (there !== undefined) return there;
      tries += 1;
      return this.#postPart(from, to);
    });
    if (tries > 1) this.#isDoubtful = true;
    return part;
  }

  async #unknownPart(size: number): Promise<string | undefined> {
    const params = { path: { id: this.#id } };
    const { parts } = await this.#server.ask(
      (api, init) => api.GET('/v1/uploads/{id}', { ...init, params }),
      this.#options,
    );
    return parts.find(({ id, bytes }) => bytes === size && !this.#parts.includes(id))?.id;
  }

  async #postPart(from: number, to: number): Promise<string> {
    const boundary = `embedmill-${crypto.randomUUID()}`;
    const body = new Body(formOf(boundary, this.#bytes(from, to)));
    const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
    const request = { headers, params: { path: { id: this.#id } }, ...(await body.request()) };
    try {
      const { data } = await this.#server.lasting(
        (api, init) => api.POST('/v1/uploads/{id}/parts', { ...init, ...request }),
        this.#options,
      );
      return data.id;
    } catch (error) {
      throw body.reasonOf(error);
    } finally {
      body.close();
    }
  }

  async *#bytes(from: number, to: number): AsyncGenerator<Uint8Array> {
    const slice = this.#file.slice(from, to).stream();
    let at = from;
    for await (const bytes of slice instanceof ReadableStream ? chunksOf(slice) : slice) {
      yield bytes;
      at += bytes.length;
      this.#options.onSent?.(at);
    }
    if (at !== to) throw new Error('the file changed while it was sent; submit it again');
  }

  /** Lets the server join the parts, without a time limit. Idempotent. */
  async #complete(): Promise<string> {
    const request = { params: { path: { id: this.#id } }, body: { part_ids: this.#parts } };
    const { file } = await this.#patiently(async () => {
      const { data } = await this.#server.lasting(
        (api, init) => api.POST('/v1/uploads/{id}/complete', { ...init, ...request }),
        this.#options,
      );
      return data;
    });
    if (file !== null) return file.id;
    throw new EmbedmillError('unexpected_answer', `upload ${this.#id} is complete, but its file is missing`);
  }

  #patiently<T>(once: () => Promise<T>): Promise<T> {
    return patiently(this.#server, once, this.#options);
  }
}

/** Retries until it succeeds, fails permanently, or the server was unavailable for too long. */
export async function patiently<T>(
  server: Connection,
  once: () => Promise<T>,
  { patienceMs = PATIENCE_MS, onRetry, signal }: UploadOptions,
): Promise<T> {
  let waitedMs = 0;
  for (let tries = 0; ; tries += 1) {
    try {
      return await once();
    } catch (error) {
      const pauseMs = server.pausesMs[tries] ?? server.pausesMs.at(-1);
      if (!(error instanceof EmbedmillError && error.retryable) || pauseMs === undefined) throw error;
      const waitMs = error.retryAfter === undefined ? pauseMs : error.retryAfter * 1000;
      waitedMs += waitMs;
      if (waitedMs > patienceMs) throw error;
      onRetry?.(error);
      await pause(waitMs, server.signalOf({ signal }));
    }
  }
}

/** A form of one file, streamed. */
async function* formOf(boundary: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const disposition = 'Content-Disposition: form-data; name="data"; filename="part"';
  yield encoder.encode(`--${boundary}\r\n${disposition}\r\nContent-Type: application/octet-stream\r\n\r\n`);
  yield* bytes;
  yield encoder.encode(`\r\n--${boundary}--\r\n`);
}

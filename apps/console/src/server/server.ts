import { Problem, problemOf } from './problem.ts';
import { readEvents, type ServerEvent } from './sse.ts';
import type { Session } from './session.ts';

export interface Ask {
  /** Sent as JSON, but for blobs and texts, which go as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Heartbeats come every 15 seconds. */
const SILENCE_MS = 45_000;

/** embedmill's API, asked with the session's key. Every method rejects with a `Problem`, or with the signal's reason. */
export class Server {
  readonly base: URL;
  readonly session: Session;

  /** `base` is where the API's own addresses begin: `https://host/prefix/`. */
  constructor(base: URL, session: Session) {
    this.base = base;
    this.session = session;
  }

  url(path: string): URL {
    return new URL(path.replace(/^\//, ''), this.base);
  }

  async json<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
    const response = await this.send(method, path, ask);
    return (response.status === 204 ? null : await response.json()) as T;
  }

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.json<T>('GET', path, { signal });
  }

  post<T>(path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    return this.json<T>('POST', path, { body, signal });
  }

  /** Lines of NDJSON. */
  async lines<T>(path: string, signal?: AbortSignal): Promise<T[]> {
    const text = await (await this.send('GET', path, { signal })).text();
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as T);
  }

  /** An answer that is no error. */
  async send(method: string, path: string, { body, headers, signal }: Ask): Promise<Response> {
    const { key } = this.session.state;
    const isRaw = typeof body === 'string' || body instanceof Blob;
    const response = await fetch(this.url(path), {
      method,
      signal: signal ?? null,
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && !isRaw && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : isRaw ? body : JSON.stringify(body),
    }).catch((error: unknown) => {
      if (signal?.aborted === true) throw error;
      throw new Problem('unreachable', 0, 'No answer', String(error));
    });
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.code === 'unauthenticated') this.session.refuse(key);
    throw problem;
  }

  /** The events of a stream until it ends, falls silent or is aborted. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const silence = new AbortController();
    const silent = () => silence.abort(new Problem('unreachable', 0, 'No answer', 'the stream fell silent'));
    let timer = setTimeout(silent, SILENCE_MS);
    try {
      const either = AbortSignal.any([signal, silence.signal]);
      const { body } = await this.send('GET', path, { signal: either });
      if (body === null) return;
      yield* readEvents(body, () => {
        clearTimeout(timer);
        timer = setTimeout(silent, SILENCE_MS);
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

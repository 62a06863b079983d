import createFetchClient, { type Client as Api } from 'openapi-fetch';
import type { components, paths } from './api.ts';
import { EmbedmillError, errorOf, mayPass, unreachable } from './error.ts';
import { readEvents, type ServerEvent } from './events.ts';
import { pause } from './pause.ts';

/** How long an answer may take. A search may wait for its model to be loaded. */
const ANSWER_MS = 60_000;
/** Pauses before what is safe to repeat is asked again. */
const PAUSES_MS = [500, 2000, 8000];
/** A server that wants to be left alone for longer is not waited for. */
const LONGEST_PAUSE_SECONDS = 60;
/** The server sends a comment more often than this when nothing happens. */
const SILENCE_MS = 45_000;

export interface ConnectionOptions {
  /** Where the server is, as in `http://127.0.0.1:7700`. */
  url: string;
  /** A key, `em_…`, where the server asks for one. */
  apiKey?: string | undefined;
  /** In place of the platform's. */
  fetch?: ((request: Request, init?: RequestInit) => Promise<Response>) | undefined;
  /** Ends whatever is under way. */
  signal?: AbortSignal | undefined;
  /** How long an answer may take, in milliseconds; streams and uploads take as long as they take. */
  answerMs?: number | undefined;
  /** Pauses before what is safe to repeat is asked again, in milliseconds. */
  pausesMs?: readonly number[] | undefined;
}

/** Of a single call. */
export interface CallOptions {
  /** Ends it. */
  signal?: AbortSignal | undefined;
}

/** Of a stream of events. */
export interface EventOptions extends CallOptions {
  /** The server sends a comment more often than this when nothing happens, in milliseconds. */
  silenceMs?: number | undefined;
}

/** What openapi-fetch answers. */
interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}
/** A request by the typed fetch. */
export type Call<T> = (api: Api<paths>, init: { signal: AbortSignal }) => Promise<Answered<T>>;

/**
 * Requests to one server, and what their answers mean.
 *
 * What is safe to repeat is asked again after a pause, or when the server says that it is worth it: where it was slow, the
 * connection broke, or it answered 429, 502, 503 or 504. Not before it has answered anything: where none runs, that is
 * said at once. Other requests are repeated on a 429 alone, which says that nothing was done.
 *
 * Errors: `EmbedmillError`; the reason of whichever signal aborted.
 */
export class Connection {
  readonly url: string;
  /** The typed fetch below all verbs. */
  readonly api: Api<paths>;
  readonly #signal: AbortSignal | undefined;
  readonly #answerMs: number;
  /** Before each new try of what is safe to repeat. */
  readonly pausesMs: readonly number[];
  #hasAnswered = false;

  constructor({ url, apiKey, fetch, signal, answerMs = ANSWER_MS, pausesMs = PAUSES_MS }: ConnectionOptions) {
    this.url = url.replace(/\/+$/, '');
    this.api = createFetchClient<paths>({
      baseUrl: this.url,
      ...(apiKey !== undefined && { headers: { authorization: `Bearer ${apiKey}` } }),
      ...(fetch !== undefined && { fetch }),
    });
    this.#signal = signal;
    this.#answerMs = answerMs;
    this.pausesMs = pausesMs;
  }

  /** Asks for what changes something. */
  async ask<T>(call: Call<T>, options: CallOptions = {}): Promise<T> {
    return this.#repeating(() => this.#inTime(call, options), options, isRefused);
  }

  /** Asks for what changes nothing, or has the same effect however often it is asked. */
  async read<T>(call: Call<T>, options: CallOptions = {}): Promise<T> {
    return this.#repeating(
      () => this.#inTime(call, options),
      options,
      (error) => (error.code === 'unreachable' ? this.#hasAnswered : mayPass(error.status ?? 0)),
    );
  }

  /** Asks once, for what takes as long as it takes: a stream, an upload. */
  async lasting<T>(call: Call<T>, options: CallOptions = {}): Promise<{ data: T; response: Response }> {
    return this.#once(call, options, undefined);
  }

  /** The events of a stream, until it ends or falls silent; none where the answer is no stream of events. */
  async *events(
    call: Call<unknown>,
    { silenceMs = SILENCE_MS, ...options }: EventOptions = {},
  ): AsyncGenerator<ServerEvent> {
    const silence = new AbortController();
    const fallSilent = (): void => silence.abort(new Error('the event stream stopped sending'));
    let timer = setTimeout(fallSilent, silenceMs);
    const signal = AbortSignal.any([silence.signal, this.signalOf(options)]);
    try {
      const { data, response } = await this.lasting((api) => call(api, { signal }), options);
      const type = response.headers.get('content-type') ?? '';
      if (data === null || !type.startsWith('text/event-stream')) return;
      yield* readEvents(data as ReadableStream<Uint8Array>, () => {
        clearTimeout(timer);
        timer = setTimeout(fallSilent, silenceMs);
      });
    } catch (error) {
      throw this.lost(error, options);
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  /** What `/readyz` says, also where that is that the server is not ready. */
  async health(options: CallOptions = {}): Promise<components['schemas']['Health']> {
    const { data, error, response } = await this.api
      .GET('/readyz', { signal: this.signalOf(options, this.#answerMs) })
      .catch((thrown: unknown) => {
        throw this.lost(thrown, options);
      });
    const health = data ?? error;
    if (health === undefined) throw errorOf(this.url, response, error);
    return health;
  }

  /** What a broken stream or request means. */
  lost(error: unknown, { signal }: CallOptions = {}): unknown {
    for (const one of [this.#signal, signal]) if (one?.aborted === true) return one.reason;
    return error instanceof EmbedmillError ? error : unreachable(this.url, error);
  }

  /** The signals that end a call, as one. */
  signalOf({ signal }: CallOptions, ms?: number): AbortSignal {
    const signals = [this.#signal, signal, ms === undefined ? undefined : AbortSignal.timeout(ms)];
    return AbortSignal.any(signals.filter((one) => one !== undefined));
  }

  async #repeating<T>(
    once: () => Promise<T>,
    options: CallOptions,
    isRepeatable: (error: EmbedmillError) => boolean,
  ): Promise<T> {
    for (const pauseMs of this.pausesMs) {
      try {
        return await once();
      } catch (error) {
        if (!(error instanceof EmbedmillError) || !isRepeatable(error)) throw error;
        const { retryAfter = pauseMs / 1000 } = error;
        if (retryAfter > LONGEST_PAUSE_SECONDS) throw error;
        await pause(retryAfter * 1000, this.signalOf(options));
      }
    }
    return once();
  }

  async #inTime<T>(call: Call<T>, options: CallOptions): Promise<T> {
    return (await this.#once(call, options, this.#answerMs)).data;
  }

  async #once<T>(
    call: Call<T>,
    options: CallOptions,
    answerMs: number | undefined,
  ): Promise<{ data: T; response: Response }> {
    try {
      const { data, error, response } = await call(this.api, { signal: this.signalOf(options, answerMs) });
      this.#hasAnswered = true;
      if (!response.ok) throw errorOf(this.url, response, error);
      return { data: data as T, response };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw this.lost(error, options);
      const message = `${this.url} does not respond like embedmill’s API; is it the right address and version?`;
      throw new EmbedmillError('unexpected_answer', message, { cause: error });
    }
  }
}

const isRefused = ({ status }: EmbedmillError): boolean => status === 429;

import createFetchClient, { type Client as Api } from 'openapi-fetch';
import type { components, paths } from './api.ts';
import { EmbedmillError, errorOf, mayPass, unreachable } from './error.ts';
import { readEvents, type ServerEvent } from './events.ts';
import { pause } from './pause.ts';

/** How long a response may take. A search may wait until its model is loaded. */
const ANSWER_MS = 60_000;
/** Pauses before retries of idempotent requests. */
const PAUSES_MS = [500, 2000, 8000];
/** A longer Retry-After is not waited for. */
const LONGEST_PAUSE_SECONDS = 60;
/** The server sends a comment at least this often. */
const SILENCE_MS = 45_000;

export interface ConnectionOptions {
  /** The address of the server, such as `http://127.0.0.1:7070`. */
  url: string;
  /** A key, `em_…`, if the server requires one. */
  apiKey?: string | undefined;
  /** Replaces the platform's `fetch`. */
  fetch?: ((request: Request, init?: RequestInit) => Promise<Response>) | undefined;
  /** Aborts all requests of the client. */
  signal?: AbortSignal | undefined;
  /** How long a response may take, in milliseconds; streams and uploads have no limit. */
  answerMs?: number | undefined;
  /** Pauses before retries of idempotent requests, in milliseconds. */
  pausesMs?: readonly number[] | undefined;
}

/** Options of a single call. */
export interface CallOptions {
  /** Aborts it. */
  signal?: AbortSignal | undefined;
}

/** Options of an event stream. */
export interface EventOptions extends CallOptions {
  /** The longest silence of the server, which sends a comment at least this often, in milliseconds. */
  silenceMs?: number | undefined;
}

/** The result of openapi-fetch. */
interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}
/** A request by the typed fetch. */
export type Call<T> = (api: Api<paths>, init: { signal: AbortSignal }) => Promise<Answered<T>>;

/**
 * Sends requests to one server and interprets its responses.
 *
 * Idempotent requests are retried after a pause, or after Retry-After, if the server was slow, the connection broke, or the
 * status is 429, 502, 503 or 504. They are not retried before the first response, so that a missing server is reported
 * immediately. Other requests are retried only on 429, which means that nothing was done.
 *
 * Errors: `EmbedmillError`, or the reason of the signal that aborted.
 */
export class Connection {
  readonly url: string;
  /** The typed fetch of all methods. */
  readonly api: Api<paths>;
  readonly #signal: AbortSignal | undefined;
  readonly #answerMs: number;
  /** Called before each retry of an idempotent request. */
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

  /** Sends a request that changes something. */
  async ask<T>(call: Call<T>, options: CallOptions = {}): Promise<T> {
    return this.#repeating(() => this.#inTime(call, options), options, isRefused);
  }

  /** Sends a safe or idempotent request. */
  async read<T>(call: Call<T>, options: CallOptions = {}): Promise<T> {
    return this.#repeating(
      () => this.#inTime(call, options),
      options,
      (error) => (error.code === 'unreachable' ? this.#hasAnswered : mayPass(error.status ?? 0)),
    );
  }

  /** Sends a request once without a time limit: a stream, an upload. */
  async lasting<T>(call: Call<T>, options: CallOptions = {}): Promise<{ data: T; response: Response }> {
    return this.#once(call, options, undefined);
  }

  /** The events of a stream until it ends or stops sending; none if the response is not an event stream. */
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

  /** The response of `/readyz`, also if the server is not ready. */
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

  /** Interprets a broken stream or request. */
  lost(error: unknown, { signal }: CallOptions = {}): unknown {
    for (const one of [this.#signal, signal]) if (one?.aborted === true) return one.reason;
    return error instanceof EmbedmillError ? error : unreachable(this.url, error);
  }

  /** The signals that abort a call, combined. */
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

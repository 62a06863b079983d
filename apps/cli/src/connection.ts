import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { CommandError } from './exit.ts';
import { problemOf, ServerError, Unreachable } from './server-error.ts';

/** How long an answer may take. A search may wait for its model to be loaded. */
const ANSWER_MS = 60_000;
/** Pauses before what only reads is asked again. */
const PAUSES_MS = [500, 2000, 8000];

export interface ConnectionOptions {
  answerMs?: number;
  pausesMs?: readonly number[];
}

/**
 * Requests to one server, and what their answers mean; used by the client alone.
 *
 * What only reads is asked again after a pause where the server lost it: an answer that was slow, a connection that
 * broke, an error that may pass. So an evaluation of thousands of searches survives one of them. Not before the server
 * has answered anything: where none runs, that is said at once. What changes something is asked once.
 */
export class Connection {
  readonly url: string;
  readonly authorization: { authorization?: string };
  readonly answerMs: number;
  readonly #signal: AbortSignal;
  readonly #pausesMs: readonly number[];
  #hasAnswered = false;

  constructor(url: string, signal: AbortSignal, key: string | undefined, options: ConnectionOptions) {
    this.url = url.replace(/\/+$/, '');
    this.#signal = signal;
    this.authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
    this.answerMs = options.answerMs ?? ANSWER_MS;
    this.#pausesMs = options.pausesMs ?? PAUSES_MS;
  }

  async json<T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    return this.parse(await this.call(method, path, body), schema);
  }

  /** As `json`, of what changes nothing. */
  async read<T>(method: 'GET' | 'POST', path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    for (const pauseMs of this.#pausesMs) {
      try {
        return await this.json(method, path, schema, body);
      } catch (error) {
        if (!this.#hasAnswered || this.#signal.aborted || !mayPass(error)) throw error;
        await sleep(pauseMs, undefined, { signal: this.#signal }).catch((aborted: unknown) => {
          throw this.lost(aborted);
        });
      }
    }
    return this.json(method, path, schema, body);
  }

  async parse<T>(response: Response, schema: z.ZodType<T>): Promise<T> {
    let value: unknown;
    try {
      value = await response.json();
    } catch (error) {
      throw this.lost(error);
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new CommandError(
      `${this.url} does not answer as embedmill's API does (${issue?.path.join('/')}: ${issue?.message}); is it the right address and version?`,
    );
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    answerMs: number | null = this.answerMs,
    signal?: AbortSignal,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const response = await this.fetch(method, path, body, answerMs, signal, headers);
    this.#hasAnswered = true;
    if (response.ok) return response;
    throw problemOf(this.url, response.status, await response.text().catch(() => ''));
  }

  async fetch(
    method: string,
    path: string,
    body: unknown,
    answerMs: number | null,
    signal?: AbortSignal,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const signals = [this.#signal, signal, answerMs === null ? undefined : AbortSignal.timeout(answerMs)];
    try {
      return await fetch(`${this.url}${path}`, {
        method,
        signal: AbortSignal.any(signals.filter((one) => one !== undefined)),
        headers: {
          ...headers,
          ...this.authorization,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw this.lost(error);
    }
  }

  lost(error: unknown): Error {
    if (this.#signal.aborted)
      return this.#signal.reason instanceof Error ? this.#signal.reason : new Error('aborted');
    return new Unreachable(this.url, error);
  }
}

const mayPass = (error: unknown): boolean =>
  error instanceof Unreachable || (error instanceof ServerError && error.retryable);

import { EmbedmillError, type Query, type QueryResult } from '@embedmill/jobs';
import type { Queue } from '@embedmill/queue';

/** Inputs in one message: a batch or two for a worker, so that another client's query waits for little. */
const MESSAGE_INPUTS = 64;
/** Messages of one request under way at the same time. */
const PARALLEL = 4;
/** Inputs of all requests under way; beyond it requests are refused, because they would time out anyway. */
const MAX_IN_FLIGHT = 8192;

/**
 * The interactive lane as requests use it: texts in, vectors out, in bounded messages and a bounded number.
 * Shared by search and embeddings. Errors: `overloaded`, `no_worker`, and what the worker says.
 */
export class QueryLane {
  readonly #queue: Pick<Queue, 'query'>;
  readonly #timeoutMs: number;
  #inFlight = 0;

  constructor(queue: Pick<Queue, 'query'>, timeoutMs: number) {
    this.#queue = queue;
    this.#timeoutMs = timeoutMs;
  }

  async embed(query: Query): Promise<QueryResult> {
    const { inputs } = query;
    if (this.#inFlight > 0 && this.#inFlight + inputs.length > MAX_IN_FLIGHT) {
      const message = `${this.#inFlight} inputs are being embedded already; try again in a moment`;
      throw new EmbedmillError('overloaded', message, { retryAfter: 1 });
    }
    this.#inFlight += inputs.length;
    try {
      return joined(await this.#inMessages(query));
    } finally {
      this.#inFlight -= inputs.length;
    }
  }

  async #inMessages(query: Query): Promise<QueryResult[]> {
    const messages: Query[] = [];
    for (let at = 0; at < query.inputs.length; at += MESSAGE_INPUTS) {
      messages.push({ ...query, inputs: query.inputs.slice(at, at + MESSAGE_INPUTS) });
    }
    const results: QueryResult[] = [];
    const pending = messages.entries();
    const sendInTurn = async (): Promise<void> => {
      for (const [index, message] of pending) {
        results[index] = await this.#queue.query(message, { timeoutMs: this.#timeoutMs });
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, messages.length) }, sendInTurn));
    return results;
  }
}

function joined(results: QueryResult[]): QueryResult {
  const [first] = results;
  if (first !== undefined && results.length === 1) return first;
  const vectors = new Float32Array(results.reduce((sum, result) => sum + result.vectors.length, 0));
  let at = 0;
  for (const result of results) {
    vectors.set(result.vectors, at);
    at += result.vectors.length;
  }
  return {
    dims: first?.dims ?? 0,
    vectors,
    tokens: results.flatMap((result) => result.tokens),
    truncated: results.flatMap((result) => result.truncated),
  };
}

/** Refuses text that no tokenizer can read. Errors: `invalid_request` with the path. */
export function checkText(text: string, path: string): void {
  const wrong =
    text.trim() === ''
      ? 'the text is empty or white space only'
      : !text.isWellFormed()
        ? 'the text has a lone surrogate (half of a UTF-16 pair); remove it'
        : undefined;
  if (wrong === undefined) return;
  throw new EmbedmillError('invalid_request', `${path}: ${wrong}`, { details: [{ path, message: wrong }] });
}

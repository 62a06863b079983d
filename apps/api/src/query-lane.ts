import pLimit from 'p-limit';
import {
  EmbedmillError,
  type DenseResult,
  type Query,
  type QueryOf,
  type QueryResult,
  type QueryResults,
  type QueryTask,
} from '@embedmill/jobs';
import type { Queue } from '@embedmill/queue';
import { shortened } from '@embedmill/retrieval';
import { refusedField } from './problem.ts';

/** Inputs in one message: a batch or two for a worker, so that another client's query waits for little. */
const MESSAGE_INPUTS = 64;
/** Characters in one message, unless one input alone has more: some 4,000 tokens. */
const MESSAGE_CHARACTERS = 16_384;
/** Messages of one request under way at the same time. */
const PARALLEL = 3;
/**
 * Messages of all requests: enough to keep engines busy, and few enough that slow ones answer each in its time, which
 * begins when it is sent.
 */
const ALL_PARALLEL = 4;
/** Inputs of all requests under way; beyond it requests are refused, because they would time out anyway. */
const MAX_IN_FLIGHT = 8192;

/** How the results of a request's messages become one. */
const JOIN: { [Task in QueryTask]: (results: QueryResults[Task][]) => QueryResults[Task] } = {
  embed: joinedDense,
  images: joinedDense,
  sparse: (results) => ({ vectors: results.flatMap(({ vectors }) => vectors), ...readingOf(results) }),
  rerank: (results) => ({
    scores: joinedFloats(results.map(({ scores }) => scores)),
    kind: results[0]?.kind ?? 'logit',
    ...readingOf(results),
  }),
  terms: (results) => ({ terms: results.flatMap(({ terms }) => terms) }),
};

/**
 * The interactive lane as requests use it: a query in, its result out, in bounded messages and a bounded number.
 * Shared by all routes. Errors: `overloaded`, `no_worker`, and what the worker says.
 */
export class QueryLane {
  readonly #queue: Pick<Queue, 'query'>;
  readonly #timeoutMs: number;
  #inFlight = 0;
  /** First come, first served: what is left of a large request waits behind others' messages, not before them. */
  readonly #sending = pLimit(ALL_PARALLEL);

  constructor(queue: Pick<Queue, 'query'>, timeoutMs: number) {
    this.#queue = queue;
    this.#timeoutMs = timeoutMs;
  }

  async ask<Task extends QueryTask>(query: QueryOf<Task>): Promise<QueryResult<Task>> {
    const { length } = query.inputs;
    if (this.#inFlight > 0 && this.#inFlight + length > MAX_IN_FLIGHT) {
      const message = `${this.#inFlight} inputs are being embedded already; try again in a moment`;
      throw new EmbedmillError('overloaded', message, { retryAfter: 1 });
    }
    this.#inFlight += length;
    try {
      const results = await this.#inMessages<Task>(query);
      const [only] = results;
      return only !== undefined && results.length === 1 ? only : JOIN[query.task as Task](results);
    } finally {
      this.#inFlight -= length;
    }
  }

  async #inMessages<Task extends QueryTask>(query: QueryOf<Task>): Promise<QueryResult<Task>[]> {
    const own = pLimit(PARALLEL);
    const send = (message: Query) =>
      this.#sending(() => this.#queue.query(message, { timeoutMs: this.#timeoutMs }));
    const results = await Promise.all(messagesOf(query).map((message) => own(() => send(message))));
    return results as QueryResult<Task>[];
  }
}

function messagesOf(query: Query): Query[] {
  const messages: Query[] = [];
  let from = 0;
  let characters = 0;
  for (const [at, input] of query.inputs.entries()) {
    const size = typeof input === 'string' ? input.length : 0;
    if (at - from >= MESSAGE_INPUTS || (at > from && characters + size > MESSAGE_CHARACTERS)) {
      messages.push({ ...query, inputs: query.inputs.slice(from, at) } as Query);
      from = at;
      characters = 0;
    }
    characters += size;
  }
  messages.push({ ...query, inputs: query.inputs.slice(from) } as Query);
  return messages;
}

function joinedDense(results: DenseResult[]): DenseResult {
  return {
    dims: results[0]?.dims ?? 0,
    vectors: joinedFloats(results.map(({ vectors }) => vectors)),
    ...readingOf(results),
  };
}

function readingOf(results: { tokens: number[]; truncated: boolean[] }[]) {
  return {
    tokens: results.flatMap(({ tokens }) => tokens),
    truncated: results.flatMap(({ truncated }) => truncated),
  };
}

function joinedFloats(parts: Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** One of the vectors, cut to `dims` where that is a smaller size. */
export function vectorAt({ vectors, dims: full }: DenseResult, index: number, dims: number): Float32Array {
  return shortened(vectors.slice(index * full, (index + 1) * full), dims);
}

/** Refuses text that no tokenizer can read. Errors: `invalid_request` with the path. */
export function checkText(text: string, path: string): void {
  const wrong =
    text.trim() === ''
      ? 'the text is empty or white space only'
      : !text.isWellFormed()
        ? 'the text has a lone surrogate (half of a UTF-16 pair); remove it'
        : undefined;
  if (wrong !== undefined) throw refusedField(path, wrong);
}

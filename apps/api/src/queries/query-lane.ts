import pLimit from 'p-limit';
import {
  asEmbedmillError,
  EmbedmillError,
  type DenseResult,
  type DenseVectors,
  type QueryOf,
  type QueryResult,
  type QueryResults,
  type InputReading,
  type QueryTask,
} from '@embedmill/jobs';
import type { Queue } from '@embedmill/queue';
import { shortened } from '@embedmill/retrieval';
import { currentPrincipal } from '../access/principal.ts';
import { FairTurns } from '../http/fair-turns.ts';
import type { ModelList } from '../models/model-list.ts';
import { refusedField } from '../http/problem.ts';
import { headsOf, messagesOf } from './query-messages.ts';
import { clientSignal, isClientGone } from '../http/request-life.ts';

/** The most concurrent messages of one request. */
const PARALLEL = 3;
/**
 * The most concurrent messages of all requests to one model: enough to keep engines busy, but few enough that slow engines
 * answer each within its time limit, which starts when it is sent.
 */
const MODEL_PARALLEL = 5;
/** The most inputs of all requests to one model; further requests are refused, because they would time out anyway. */
const MAX_IN_FLIGHT = 12_288;
/** The same for one principal, so that it leaves room for others. */
const MAX_OWN_IN_FLIGHT = 8192;

/** The place of an input in the request. */
type PathOf = (index: number) => string;

/** Joins the results of a request's messages. */
const JOIN: { [Task in QueryTask]: (results: QueryResults[Task][]) => QueryResults[Task] } = {
  embed: joinedDense,
  images: joinedDense,
  sparse: (results) => ({ vectors: results.flatMap(({ vectors }) => vectors), ...readingOf(results) }),
  rerank: (results) => ({
    scores: joinedFloats(results.map(({ scores }) => scores)),
    kind: results[0]?.kind ?? 'logit',
    query: results[0]?.query ?? { truncated: false, unknown: false },
    ...readingOf(results),
  }),
  tokens: (results) => ({
    questions: results.flatMap(({ questions }) => questions),
    dense: results.every(({ dense }) => dense !== undefined)
      ? joinedVectors(results.flatMap(({ dense }) => dense ?? []))
      : undefined,
    ...readingOf(results),
  }),
  terms: (results) => ({ terms: results.flatMap(({ terms }) => terms) }),
  states: (results) => ({
    dims: results[0]?.dims ?? 0,
    states: results.flatMap(({ states }) => states),
    ...readingOf(results),
  }),
  tokenize: (results) => ({ found: results.flatMap(({ found }) => found) }),
  detokenize: (results) => ({ texts: results.flatMap(({ texts }) => texts) }),
};

/** The principal of the messages, and their options. */
interface Sending {
  principal: string;
  turns: FairTurns;
  mayBringIn: boolean;
  pathOf: PathOf;
}

/** What is in flight to one model. */
interface ModelLane {
  readonly turns: FairTurns;
  /** Inputs, by principal. */
  readonly inFlight: Map<string, number>;
}

/** The outcome of a request's query: `failed` means that the server is at fault, for example if no worker answers. */
export type QueryOutcome = 'answered' | 'refused' | 'failed';

/**
 * The interactive lane for requests: it sends a query in a bounded number of bounded messages and returns the result.
 * Each model has its own lane, so that a slow or unavailable model does not delay queries to another; within it,
 * principals take turns. The query of a disconnected client sends nothing more; its sent messages are withdrawn if no
 * worker has claimed them, and awaited otherwise.
 *
 * Shared by all routes. Errors: `overloaded`, `no_worker`, `client_gone`, and those of the worker.
 */
export class QueryLane {
  readonly #queue: Pick<Queue, 'query'>;
  readonly #models: ModelList;
  readonly #timeoutMs: number;
  readonly #onEnd: (model: string, outcome: QueryOutcome) => void;
  readonly #lanes = new Map<string, ModelLane>();

  constructor(
    { queue, models }: { models: ModelList; queue: Pick<Queue, 'query'> },
    timeoutMs: number,
    onEnd: (model: string, outcome: QueryOutcome) => void = () => {},
  ) {
    this.#queue = queue;
    this.#models = models;
    this.#timeoutMs = timeoutMs;
    this.#onEnd = onEnd;
  }

  /** `pathOf`: the place of each input in the request, for errors of workers. */
  async ask<Task extends QueryTask>(
    query: QueryOf<Task>,
    pathOf: PathOf = (index) => `inputs/${index}`,
  ): Promise<QueryResult<Task>> {
    const principal = currentPrincipal();
    const { length } = query.inputs;
    const lane = this.#lanes.get(query.model) ?? {
      turns: new FairTurns(MODEL_PARALLEL),
      inFlight: new Map(),
    };
    const own = lane.inFlight.get(principal.name) ?? 0;
    const all = [...lane.inFlight.values()].reduce((sum, inputs) => sum + inputs, 0);
    const isTooMuch =
      (all > 0 && all + length > MAX_IN_FLIGHT) || (own > 0 && own + length > MAX_OWN_IN_FLIGHT);
    if (isTooMuch) {
      const message = `${own} of your inputs, and ${all} in all, are already being embedded; try again in a moment`;
      throw new EmbedmillError('overloaded', message, { retryAfter: 1 });
    }
    this.#lanes.set(query.model, lane);
    lane.inFlight.set(principal.name, own + length);
    try {
      const model = (await this.#models()).find(({ name }) => name === query.model);
      const { query: read, cut, isQuestionCut } = headsOf(query, model?.maxTokens);
      // A download takes space and time from everyone.
      const mayBringIn =
        model === undefined || model.available || model.bundled || principal.scopes.has('admin');
      const sending = { principal: principal.name, turns: lane.turns, mayBringIn, pathOf };
      const results = await this.#inMessages<Task>(read as QueryOf<Task>, sending);
      const [only] = results;
      const whole = only !== undefined && results.length === 1 ? only : JOIN[query.task as Task](results);
      if ('truncated' in whole) for (const n of cut) whole.truncated[n] = true;
      if (isQuestionCut && 'query' in whole) whole.query.truncated = true;
      this.#onEnd(query.model, 'answered');
      return whole;
    } catch (error) {
      if (!isClientGone(error))
        this.#onEnd(query.model, asEmbedmillError(error).status >= 500 ? 'failed' : 'refused');
      throw error;
    } finally {
      const left = (lane.inFlight.get(principal.name) ?? length) - length;
      if (left > 0) lane.inFlight.set(principal.name, left);
      else lane.inFlight.delete(principal.name);
      if (lane.inFlight.size === 0) this.#lanes.delete(query.model);
    }
  }

  /** Rejects only once none of its messages is in flight any more. */
  async #inMessages<Task extends QueryTask>(
    query: QueryOf<Task>,
    { principal, turns, mayBringIn, pathOf }: Sending,
  ): Promise<QueryResult<Task>[]> {
    const own = pLimit(PARALLEL);
    const signal = clientSignal();
    const failed = new AbortController();
    const over = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
    const options = { timeoutMs: this.#timeoutMs, signal: over, mayBringIn };
    const sent = await Promise.allSettled(
      messagesOf(query).map(({ message, from }) =>
        own(async () => {
          try {
            return await turns.run(principal, over, () => this.#queue.query(message, options));
          } catch (error) {
            failed.abort();
            throw atRequestsPath(error, (index) => pathOf(from + index));
          }
        }),
      ),
    );
    const first = sent.find((one) => one.status === 'rejected' && !isClientGone(one.reason));
    if (first?.status === 'rejected') throw first.reason;
    return sent.map((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value as QueryResult<Task>;
    });
  }
}

/** Translates a worker's error about an input of its message to the request's input. */
function atRequestsPath(error: unknown, pathOf: PathOf): unknown {
  const [detail] = error instanceof EmbedmillError ? error.details : [];
  const [, index] = /^inputs\/(\d+)$/.exec(detail?.path ?? '') ?? [];
  return index === undefined ? error : refusedField(pathOf(Number(index)), detail?.message ?? '');
}

function joinedVectors(results: readonly DenseVectors[]): DenseVectors {
  return { dims: results[0]?.dims ?? 0, vectors: joinedFloats(results.map(({ vectors }) => vectors)) };
}

function joinedDense(results: DenseResult[]): DenseResult {
  return {
    ...joinedVectors(results),
    ...(results[0]?.terms && { terms: results.flatMap(({ terms = [] }) => terms) }),
    ...readingOf(results),
  };
}

function readingOf(results: readonly InputReading[]): InputReading {
  return {
    tokens: results.flatMap(({ tokens }) => tokens),
    truncated: results.flatMap(({ truncated }) => truncated),
    unknown: results.flatMap(({ unknown }) => unknown),
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

/** One of the vectors, shortened to `dims` if that is smaller. */
export function vectorAt({ vectors, dims: full }: DenseVectors, index: number, dims: number): Float32Array {
  return shortened(vectors.slice(index * full, (index + 1) * full), dims);
}

/** Sent only if it is not the default, which workers of earlier releases also know; they refuse the exception. */
export function unscaled(normalize: boolean): { normalize?: false } {
  return normalize ? {} : { normalize: false };
}

/** The first `dims` numbers of one of the vectors, unchanged. */
export function headAt({ vectors, dims: full }: DenseResult, index: number, dims: number): Float32Array {
  return vectors.slice(index * full, index * full + dims);
}

/** Refuses inputs without a token that the model knows, because their vectors would be alike. Errors: `invalid_request` with the path. */
export function refuseUnknown(
  unknown: readonly boolean[],
  model: string,
  pathOf: (index: number) => string,
): void {
  const index = unknown.indexOf(true);
  if (index === -1) return;
  throw refusedField(
    pathOf(index),
    `${model} knows no token of the text, so its vector would be meaningless`,
  );
}

/** Refuses text that no tokenizer can read. Errors: `invalid_request` with the path. */
export function checkText(text: string, path: string): void {
  const wrong =
    text.trim() === ''
      ? 'the text is empty or contains only white space'
      : !text.isWellFormed()
        ? 'the text has a lone surrogate (half of a UTF-16 pair); remove it'
        : undefined;
  if (wrong !== undefined) throw refusedField(path, wrong);
}

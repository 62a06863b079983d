/**
 * A remote engine: a server with TEI's or OpenAI's API, seen from the worker. It gets texts, not tokens.
 *
 * Modes: open → closed. `connect` finds out the API and the vectors' size, and checks that it works. After that there
 * is no connection to keep: an upstream that was away is usable again as soon as it answers.
 *
 * Invariants:
 * - At most `capacity` batches are in flight, plus one urgent batch, and as many requests: a batch with more than
 *   `maxItems` items is sent as several requests, which take turns with those of other batches.
 * - Every request must finish within `deadlineMs` of its turn, including retries; no answer can be larger than the
 *   expected vectors. So nothing hangs and nothing grows.
 * - A batch is not blamed while the upstream may be at fault. If the upstream is unreachable, denies access or does not
 *   have the model, the batch is rejected with `model_unavailable`, and its shards wait. If the batch may be the cause,
 *   the upstream is asked for a text that it embedded before. If that fails, too, the batch is rejected as above. If it
 *   works, the batch is to blame and is rejected with a code that makes the encoder halve it until the culprit is
 *   isolated: `engine_failed` (refused, failed inside, or answered without vectors), or, as with an engine process,
 *   `engine_crashed` (the connection broke) or `engine_timeout`, after which the batch is first run once more.
 * - A refusal for size never reaches the encoder: the request is sent again in halves here, and the size is learned.
 *   There is no `out_of_memory`, because it would permanently shrink the encoder's budget over what may be one text.
 *
 * Used by the worker's encoder, one object per upstream.
 */
import { asEmbedmillError, EmbedmillError } from '@embedmill/jobs';
import type { Engine, EngineBatch, EngineResult } from './engine.ts';
import { normalizeRows } from './engine/pooling.ts';
import { discover, PROBE, type Wanted } from './remote/discovery.ts';
import { embedOnce, type EmbedApi } from './remote/embed-api.ts';
import { UpstreamFailure } from './remote/failure.ts';
import { persist, type Persistence } from './remote/persist.ts';
import { RequestSize } from './remote/request-size.ts';
import { RequestSlots } from './remote/request-slots.ts';
import { Upstream } from './remote/upstream.ts';

export interface RemoteEngineOptions extends Wanted {
  /** http or https; may have a base path, and end in `/`, in `/v1` or in neither. */
  url: string;
  /** Sent as `Authorization: Bearer`, never shown. */
  apiKey?: string | undefined;
  /** Batches, and requests, in flight; default 4. */
  capacity?: number | undefined;
  /** The time limit for one request, including retries; default 60 s. */
  deadlineMs?: number | undefined;
  onEvent?: ((event: RemoteEngineEvent) => void) | undefined;
}

export type RemoteEngineEvent =
  | { kind: 'connected'; api: 'tei' | 'openai'; model: string; dims: number; maxItems: number }
  /** A request failed and is sent again after a pause. */
  | { kind: 'retrying'; reason: string; pauseMs: number }
  /** The upstream accepts no more items than this in one request. */
  | { kind: 'limited'; maxItems: number };

/** A batch in flight; the first failure aborts its other requests, too. */
interface Sending {
  readonly texts: readonly string[];
  readonly urgent: boolean;
  readonly vectors: Float32Array;
  readonly abandon: AbortController;
  seconds: number;
  failure: unknown;
}

const DEFAULT_CAPACITY = 4;
const DEFAULT_DEADLINE_MS = 60_000;

export class RemoteEngine implements Engine {
  readonly dims: number;
  readonly outputs = ['dense'] as const;
  readonly capacity: number;
  readonly #options: RemoteEngineOptions;
  readonly #upstream: Upstream;
  readonly #api: EmbedApi;
  readonly #size: RequestSize;
  readonly #slots: RequestSlots;
  readonly #running = new Set<Promise<EngineResult>>();
  #isClosed = false;

  private constructor(options: RemoteEngineOptions, upstream: Upstream, api: EmbedApi, dims: number) {
    this.dims = dims;
    this.capacity = Math.min(options.capacity ?? DEFAULT_CAPACITY, api.maxRequests);
    this.#options = options;
    this.#upstream = upstream;
    this.#api = api;
    this.#size = new RequestSize(api.maxItems, api.isStated);
    this.#slots = new RequestSlots(this.capacity);
  }

  /**
   * Resolves once the upstream has embedded a text. Rejects with `invalid_config` (url or key cannot be used),
   * `model_corrupt` (vectors do not have `dims` numbers) or `model_unavailable` (anything else).
   */
  static async connect(options: RemoteEngineOptions): Promise<RemoteEngine> {
    const upstream = new Upstream(options.url, options.apiKey);
    try {
      const { api, dims } = await discover(upstream, options, persistenceOf(options));
      const engine = new RemoteEngine(options, upstream, api, dims);
      const { name, model } = api;
      options.onEvent?.({ kind: 'connected', api: name, model, dims, maxItems: engine.maxItems });
      return engine;
    } catch (thrown) {
      throw thrown instanceof UpstreamFailure ? unavailable(thrown) : thrown;
    }
  }

  /** The most items that one request takes, as far as known. Batches within it need not be split. */
  get maxItems(): number {
    return this.#size.items;
  }

  get inFlight(): number {
    return this.#running.size;
  }

  /**
   * See `Engine.run`; beyond the bound it rejects with `overloaded`, after `close` with `engine_failed`. `seconds`
   * are those of the requests that were answered, added up.
   */
  run(batch: EngineBatch): Promise<EngineResult> {
    const { texts, lengths, urgent, outputs = this.outputs } = batch;
    if (this.#isClosed) return Promise.reject(new EmbedmillError('engine_failed', 'the engine is closed'));
    if (outputs.some((output) => output !== 'dense')) {
      const message = `a remote engine gives only dense vectors, not ${outputs.join(', ')}`;
      return Promise.reject(new EmbedmillError('engine_failed', message));
    }
    if (batch.raw !== undefined) {
      const message = 'a remote engine brings its vectors to length 1, and does not know how long they were';
      return Promise.reject(new EmbedmillError('engine_failed', message));
    }
    if (texts?.length !== lengths.length) {
      const message = `a remote engine embeds texts, but this batch has ${texts?.length ?? 'none'} for its ${lengths.length} sequences; send the text with each sequence`;
      return Promise.reject(new EmbedmillError('engine_failed', message));
    }
    if (this.inFlight >= this.capacity + (urgent ? 1 : 0)) {
      const message = `the engine already has ${this.inFlight} batches in flight`;
      return Promise.reject(new EmbedmillError('overloaded', message));
    }
    const running = this.#embed(texts, urgent).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /** Waits for the batches in flight; each ends by its deadline. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#running);
  }

  async #embed(texts: readonly string[], urgent: boolean): Promise<EngineResult> {
    const vectors = new Float32Array(texts.length * this.dims);
    const abandon = new AbortController();
    const sending: Sending = { texts, urgent, vectors, abandon, seconds: 0, failure: undefined };
    const requests = Math.ceil(texts.length / this.maxItems);
    const items = Math.ceil(texts.length / requests);
    await Promise.all(
      Array.from({ length: requests }, (_, n) =>
        this.#send(sending, n * items, Math.min((n + 1) * items, texts.length)),
      ),
    );
    if (sending.failure !== undefined) throw await this.#verdictOn(sending.failure, urgent);
    if (this.#options.normalize) normalizeRows(vectors, this.dims);
    return { vectors, seconds: sending.seconds };
  }

  /** Sends the texts of a batch within a range. Never rejects: errors become the batch's failure. */
  async #send(sending: Sending, from: number, to: number): Promise<void> {
    try {
      const { vectors, seconds } = await this.#request(sending.texts.slice(from, to), sending);
      this.#size.noteTaken(to - from);
      sending.vectors.set(vectors, from * this.dims);
      sending.seconds += seconds;
    } catch (thrown) {
      if (sending.abandon.signal.aborted) return;
      if (this.#isForSize(thrown, to - from)) {
        const middle = from + Math.ceil((to - from) / 2);
        await Promise.all([this.#send(sending, from, middle), this.#send(sending, middle, to)]);
        return;
      }
      sending.failure ??= thrown;
      sending.abandon.abort(thrown);
    }
  }

  #isForSize(thrown: unknown, items: number): boolean {
    if (!(thrown instanceof UpstreamFailure) || thrown.kind !== 'refused') return false;
    const before = this.maxItems;
    const isForSize = this.#size.noteRefused(items, thrown.status);
    if (this.maxItems < before) this.#options.onEvent?.({ kind: 'limited', maxItems: this.maxItems });
    return isForSize;
  }

  #request(texts: readonly string[], { urgent, abandon }: Pick<Sending, 'urgent' | 'abandon'>) {
    return this.#slots.use(urgent, abandon.signal, () =>
      persist((attempt) => embedOnce(this.#upstream, this.#api, texts, this.dims, attempt), {
        ...persistenceOf(this.#options),
        signal: abandon.signal,
      }),
    );
  }

  /** The error to reject a batch with. The batch is to blame if the upstream still works. */
  async #verdictOn(failure: unknown, urgent: boolean): Promise<EmbedmillError> {
    if (!(failure instanceof UpstreamFailure)) return asEmbedmillError(failure, 'engine_failed');
    const code = codeOf(failure);
    if (code === 'model_unavailable') return unavailable(failure);
    try {
      await this.#request([PROBE], { urgent, abandon: new AbortController() });
    } catch (thrown) {
      if (!(thrown instanceof UpstreamFailure)) return asEmbedmillError(thrown, 'engine_failed');
      return unavailable(thrown, '; it fails for other texts too, so no single document is the cause');
    }
    return new EmbedmillError(code, failure.message, { cause: failure });
  }
}

function persistenceOf({ deadlineMs = DEFAULT_DEADLINE_MS, onEvent }: RemoteEngineOptions): Persistence {
  return {
    deadlineMs,
    signal: new AbortController().signal,
    onPause: ({ message }, pauseMs) => onEvent?.({ kind: 'retrying', reason: message, pauseMs }),
  };
}

/** The error code of a failure, provided that the upstream works otherwise. */
function codeOf({ kind }: UpstreamFailure) {
  switch (kind) {
    case 'away':
    case 'denied':
    case 'missing':
      return 'model_unavailable';
    case 'lost':
      return 'engine_crashed';
    case 'slow':
      return 'engine_timeout';
    case 'broken':
    case 'garbled':
    case 'refused':
      return 'engine_failed';
  }
}

function unavailable(failure: UpstreamFailure, addition = ''): EmbedmillError {
  const { message, retryAfter } = failure;
  return new EmbedmillError('model_unavailable', `${message}${addition}`, {
    cause: failure,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

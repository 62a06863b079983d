import { EmbedmillError, type QueryOf, type QueryResult, type QueryTask } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { answered } from './connection.ts';
import { ModelTrouble, unavailable } from './model-trouble.ts';
import { MODELS } from './names.ts';
import type { QueryClient } from './query-client.ts';
import { notInUse, servedByNone, ServingLook, type Serving } from './serving.ts';

/** The options of a query. */
export interface QueryOptions {
  timeoutMs: number;
  /** Aborts when nobody waits for the answer any more. */
  signal?: AbortSignal | undefined;
  /** Whether workers may load the model for it if none has it; true by default. */
  mayBringIn?: boolean;
}

/** The models of workers from the client's side: which are served, what prevents it, and their answers. */
export class ModelQueries {
  readonly #broker: Broker;
  readonly #queries: QueryClient;
  readonly #serving: ServingLook;
  readonly #trouble: ModelTrouble;

  constructor(broker: Broker, queries: QueryClient) {
    this.#broker = broker;
    this.#queries = queries;
    this.#serving = new ServingLook(broker);
    this.#trouble = new ModelTrouble(broker);
  }

  servingOf(model: string): Promise<Serving> {
    return answered(this.#serving.of(model));
  }

  /** Like `Queue.query`. */
  async query<Task extends QueryTask>(
    query: QueryOf<Task>,
    options: QueryOptions,
  ): Promise<QueryResult<Task>> {
    const { model } = query;
    const { timeoutMs, signal, mayBringIn = true } = options;
    const [trouble, serving] = await Promise.all([
      this.#trouble.of(model),
      answered(this.#serving.of(model)),
    ]);
    if (serving === 'none') throw servedByNone(model);
    if (serving === 'any') {
      const isInUse = async () => (await answered(this.#broker.members(MODELS))).includes(model);
      if (!mayBringIn && !(await isInUse())) throw notInUse(model);
      await this.announce(model);
    }
    const over = new AbortController();
    // A worker with the model can answer, even if others cannot load it.
    const isWatched = trouble !== null || serving !== 'serving';
    const givenUp = isWatched ? this.#trouble.ends(model, over.signal) : undefined;
    try {
      return await this.#queries.ask(query, { timeoutMs, signal, givenUp });
    } catch (error) {
      if (!(error instanceof EmbedmillError) || error.code !== 'no_worker') throw error;
      const reason = await this.#trouble.of(model).catch(() => null);
      throw reason === null ? error : unavailable(reason, error);
    } finally {
      over.abort();
    }
  }

  /** Lets workers that serve the models in use serve this one too. */
  async announce(model: string): Promise<void> {
    await answered(this.#broker.addMember(MODELS, model));
  }

  /** What prevents a model from being served; null if nothing does. */
  troubleOf(model: string): ReturnType<ModelTrouble['of']> {
    return this.#trouble.of(model);
  }

  close(): Promise<void> {
    return this.#queries.close();
  }
}

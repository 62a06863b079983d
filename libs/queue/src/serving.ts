import { EmbedmillError } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { ANY_MODEL, loadingKey, servingKey, TOLD_MODELS } from './names.ts';

/**
 * Which models workers serve, by their own reports: short notes in the broker that expire unless renewed. A worker
 * without configured models serves any model in use, and reports that. A worker with configured models reports each of
 * them from its start, so that a model being loaded does not count as unserved.
 */

/** The workers' reports about a model. `any`: no worker has it, but some would load it once it is in use. */
export type Serving = 'serving' | 'loading' | 'any' | 'none';

/** A busy worker, or one whose broker was unavailable, has several attempts before its notes expire. */
const EXPIRY_SECONDS = 20;
const RENEW_MS = 4000;
/** How long one read is reused, because otherwise each query would cost one. */
const LOOK_MS = 1000;

/** A worker's side: renews its notes until it is stopped. */
export class ServingNotes {
  readonly #broker: Broker;
  readonly #models: readonly string[] | undefined;
  readonly #serving = new Set<string>();
  readonly #loading = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** `models` are the worker's configured models; undefined: any. */
  constructor(broker: Broker, models: readonly string[] | undefined) {
    this.#broker = broker;
    this.#models = models;
    for (const model of models ?? []) this.#loading.add(model);
  }

  /** Resolves once the notes are visible to everyone. */
  async start(): Promise<void> {
    await this.#renew();
    this.#timer = setInterval(() => void this.#renew().catch(() => undefined), RENEW_MS).unref();
  }

  noteLoading(model: string): void {
    this.#loading.add(model);
    this.#say(loadingKey(model));
  }

  noteServing(model: string): void {
    this.#loading.delete(model);
    this.#serving.add(model);
    this.#say(servingKey(model));
  }

  /** The reported trouble says that it cannot be loaded. */
  noteFailed(model: string): void {
    if (this.#models?.includes(model) !== true) this.#loading.delete(model);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #renew(): Promise<void> {
    const keys = [
      ...(this.#models === undefined ? [ANY_MODEL] : []),
      ...[...this.#serving].map(servingKey),
      ...[...this.#loading].map(loadingKey),
    ];
    await Promise.all([
      ...keys.map((key) => this.#broker.set(key, '1', EXPIRY_SECONDS)),
      // Queries for these wait on queues that no collection may name.
      ...(this.#models ?? []).map((model) => this.#broker.addMember(TOLD_MODELS, model)),
    ]);
  }

  #say(key: string): void {
    // If the broker is unavailable, the next renewal writes it.
    void this.#broker.set(key, '1', EXPIRY_SECONDS).catch(() => undefined);
  }
}

/** The producer's side. */
export class ServingLook {
  readonly #broker: Broker;
  readonly #served = new Map<string, number>();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  async of(model: string): Promise<Serving> {
    const now = performance.now();
    if ((this.#served.get(model) ?? -Infinity) > now - LOOK_MS) return 'serving';
    const has = async (key: string) => (await this.#broker.get(key)) !== null;
    const [serving, loading, any] = await Promise.all([
      has(servingKey(model)),
      has(loadingKey(model)),
      has(ANY_MODEL),
    ]);
    if (serving) this.#served.set(model, now);
    else this.#served.delete(model);
    if (serving) return 'serving';
    if (loading) return 'loading';
    return any ? 'any' : 'none';
  }
}

export function servedByNone(model: string): EmbedmillError {
  const message = `no worker serves ${model}; start one with EMBEDMILL_WORKER_MODELS=${model}, or one without that setting, which serves all models in use`;
  return new EmbedmillError('no_worker', message, { retryAfter: 5 });
}

export function notInUse(model: string): EmbedmillError {
  const message = `no worker serves ${model}, and your key may not trigger its download; workers download it once a collection uses it, or once a key with the scope "admin" requests it`;
  return new EmbedmillError('no_worker', message, { retryAfter: 30 });
}

import { apiKeysSchema, EmbedmillError, parseKept, type ApiKeyEntry } from '@embedmill/jobs';
import { exchange, type Broker } from './broker.ts';
import { answered } from './connection.ts';

const KEY = 'api-keys';
/** Practically without expiry; values in the broker need one. */
const KEPT_SECONDS = 50 * 365 * 24 * 3600;
/** All of them are read every few seconds. */
const MOST_KEYS = 1000;
const TRIES = 20;

/**
 * API keys that administrators created at run time: one list of hashes, which every replica reads. A change applies to the
 * current list, and is repeated if the list changed in the meantime, so no replica overwrites the change of another.
 */
export class KeptKeys {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** In the order of their creation. Errors: `queue_unavailable`. */
  async read(): Promise<ApiKeyEntry[]> {
    return parsed(await answered(this.#broker.get(KEY)));
  }

  /** Replaces the keys with the result of `change`, which may throw. Errors: `queue_unavailable`, `invalid_request`. */
  async change(change: (keys: ApiKeyEntry[]) => ApiKeyEntry[]): Promise<ApiKeyEntry[]> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const before = await answered(this.#broker.get(KEY));
      const keys = change(parsed(before));
      if (keys.length > MOST_KEYS) {
        const message = `there are already ${MOST_KEYS} keys, the maximum; revoke one first`;
        throw new EmbedmillError('invalid_request', message);
      }
      const isDone = exchange(this.#broker, KEY, before, JSON.stringify(keys), KEPT_SECONDS);
      if (await answered(isDone)) return keys;
    }
    throw new EmbedmillError(
      'queue_unavailable',
      'the keys are being changed by others at the same time; try again',
    );
  }
}

function parsed(value: string | null): ApiKeyEntry[] {
  return value === null ? [] : parseKept(apiKeysSchema, JSON.parse(value));
}

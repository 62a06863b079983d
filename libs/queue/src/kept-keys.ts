import { z } from 'zod';
import { apiKeyEntrySchema, EmbedmillError, readKept, type ApiKeyEntry } from '@embedmill/jobs';
import { exchange, type Broker } from './broker.ts';
import { answered } from './connection.ts';

const KEY = 'api-keys';
/** Practically without expiry; values in the broker need one. */
const KEPT_SECONDS = 50 * 365 * 24 * 3600;
/** All of them are read every few seconds. */
const MOST_KEYS = 1000;
const TRIES = 20;

const recordsSchema = z.array(z.unknown());

/** A key’s record as it is kept, and what this release reads in it: nothing, if it needs what only a later one knows. */
interface KeptKey {
  record: unknown;
  entry: ApiKeyEntry | undefined;
}

/**
 * API keys that administrators created at run time: one list of hashes, which every replica reads. A change applies to the
 * current list, and is repeated if the list changed in the meantime, so no replica overwrites the change of another.
 *
 * A key that this release cannot read opens nothing, and closes no other key. Keys that a change leaves alone are written
 * back as they were, with what a later release has added to them.
 */
export class KeptKeys {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** In the order of their creation. Errors: `queue_unavailable`. */
  async read(): Promise<ApiKeyEntry[]> {
    return entriesOf(keysIn(await answered(this.#broker.get(KEY))));
  }

  /**
   * Replaces the keys with the result of `change`, which gets those that `read` gives, and may throw. Errors:
   * `queue_unavailable`, `invalid_request`.
   */
  async change(change: (keys: ApiKeyEntry[]) => ApiKeyEntry[]): Promise<ApiKeyEntry[]> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const before = await answered(this.#broker.get(KEY));
      const kept = keysIn(before);
      const keys = change(entriesOf(kept));
      const records = recordsAfter(kept, keys);
      if (records.length > MOST_KEYS) {
        const message = `there are already ${MOST_KEYS} keys, the maximum; revoke one first`;
        throw new EmbedmillError('invalid_request', message);
      }
      const isDone = exchange(this.#broker, KEY, before, JSON.stringify(records), KEPT_SECONDS);
      if (await answered(isDone)) return keys;
    }
    throw new EmbedmillError(
      'queue_unavailable',
      'the keys are being changed by others at the same time; try again',
    );
  }
}

function keysIn(value: string | null): KeptKey[] {
  const records = value === null ? [] : recordsSchema.parse(JSON.parse(value));
  return records.map((record) => ({ record, entry: readKept(apiKeyEntrySchema, record).data }));
}

function entriesOf(kept: readonly KeptKey[]): ApiKeyEntry[] {
  return kept.flatMap(({ entry }) => entry ?? []);
}

/** What was not read stays, as do the records of keys that are still among `keys`; new ones follow. */
function recordsAfter(kept: readonly KeptKey[], keys: readonly ApiKeyEntry[]): unknown[] {
  const before = new Set(entriesOf(kept));
  const staying = kept.filter(({ entry }) => entry === undefined || keys.includes(entry));
  return [...staying.map(({ record }) => record), ...keys.filter((key) => !before.has(key))];
}

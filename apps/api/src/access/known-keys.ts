import { apiKeyHash, apiKeyId, EmbedmillError, isApiKey, type ApiKeyEntry } from '@embedmill/jobs';
import type { Principal } from './principal.ts';

interface KnownKey {
  readonly entry: ApiKeyEntry;
  readonly principal: Principal;
  readonly expires: number;
}

/** The public part of a key. */
export type ShownKey = Omit<ApiKeyEntry, 'hash'> & { expired: boolean };

const NO_HASH = apiKeyHash('');

/** Keys and their owners. Immutable. */
export class KnownKeys {
  readonly #keys: ReadonlyMap<string, KnownKey>;

  constructor(entries: readonly ApiKeyEntry[]) {
    this.#keys = new Map(entries.map((entry) => [entry.id, knownKey(entry)]));
  }

  get size(): number {
    return this.#keys.size;
  }

  /** The owner of the key; undefined if there is no such key. Errors: `unauthenticated` if it has expired. */
  principalOf(key: string): Principal | undefined {
    const known = this.#keys.get(apiKeyId(key) ?? '');
    // An unknown id takes as long as a known one.
    const isRight = isApiKey(key, known?.entry.hash ?? NO_HASH);
    if (known === undefined || !isRight) return undefined;
    if (known.expires > Date.now()) return known.principal;
    const at = new Date(known.expires).toISOString();
    throw new EmbedmillError(
      'unauthenticated',
      `the key ${known.principal.name} expired at ${at}; use a new one`,
    );
  }

  /** The owner of the key with this name; undefined if there is none or it has expired. */
  named(name: string): Principal | undefined {
    for (const { principal, expires } of this.#keys.values())
      if (principal.name === name) return expires > Date.now() ? principal : undefined;
    return undefined;
  }

  /** All of them, in their order. */
  list(): ShownKey[] {
    return [...this.#keys.values()].map(({ entry }) => shownKey(entry));
  }
}

export function shownKey(entry: ApiKeyEntry): ShownKey {
  const { name, id, scopes, tenant, collections, requestsPerSecond, concurrency, expires } = entry;
  const expired = expires !== undefined && Date.parse(expires) <= Date.now();
  return { name, id, scopes, tenant, collections, requestsPerSecond, concurrency, expires, expired };
}

function knownKey(entry: ApiKeyEntry): KnownKey {
  const { name, scopes, tenant, collections, expires, requestsPerSecond, concurrency } = entry;
  return {
    entry,
    expires: expires === undefined ? Infinity : Date.parse(expires),
    principal: {
      name,
      tenant,
      scopes: new Set(scopes),
      collections: collections && new Set(collections),
      requestsPerSecond,
      concurrency,
    },
  };
}

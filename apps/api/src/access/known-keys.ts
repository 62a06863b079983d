import { apiKeyHash, apiKeyId, EmbedmillError, isApiKey, type ApiKeyEntry } from '@embedmill/jobs';
import type { Principal } from './principal.ts';

interface KnownKey {
  readonly entry: ApiKeyEntry;
  readonly principal: Principal;
  readonly expires: number;
}

/** What may be shown of a key. */
export type ShownKey = Omit<ApiKeyEntry, 'hash'> & { expired: boolean };

const NO_HASH = apiKeyHash('');

/** Some keys, and who has them. It does not change. */
export class KnownKeys {
  readonly #keys: ReadonlyMap<string, KnownKey>;

  constructor(entries: readonly ApiKeyEntry[]) {
    this.#keys = new Map(entries.map((entry) => [entry.id, knownKey(entry)]));
  }

  get size(): number {
    return this.#keys.size;
  }

  /** Whose key it is; undefined where there is no such key. Errors: `unauthenticated` for one that has expired. */
  principalOf(key: string): Principal | undefined {
    const known = this.#keys.get(apiKeyId(key) ?? '');
    // An id that is not there takes as long as one that is.
    const isRight = isApiKey(key, known?.entry.hash ?? NO_HASH);
    if (known === undefined || !isRight) return undefined;
    if (known.expires > Date.now()) return known.principal;
    const at = new Date(known.expires).toISOString();
    throw new EmbedmillError(
      'unauthenticated',
      `the key ${known.principal.name} expired at ${at}; use a new one`,
    );
  }

  /** Who has the key of this name; undefined where there is none, or it has expired. */
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

import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import {
  apiKeyHash,
  apiKeyId,
  apiKeysSchema,
  EmbedmillError,
  isApiKey,
  type ApiKeyEntry,
} from '@embedmill/jobs';
import type { ApiParts } from '../parts.ts';
import type { Principal } from './principal.ts';

/** How often the file is looked at. By its time and size, not by events: those are lost where a file is exchanged as a
 * whole, as Kubernetes does with secrets. */
const LOOK_MS = 2000;

interface KnownKey {
  readonly entry: ApiKeyEntry;
  readonly principal: Principal;
  readonly expires: number;
}

/** What may be shown of a key. */
export type ShownKey = Omit<ApiKeyEntry, 'hash'> & { expired: boolean };

/**
 * The keys of a file, followed as it changes until `close`. A version that cannot be used is logged, and the one before
 * it goes on: a slip of the pen locks nobody out. At the start there is none before it, so there it is an error.
 */
export class ApiKeys {
  #keys: ReadonlyMap<string, KnownKey>;
  readonly #path: string;
  readonly #log: Pick<ApiParts['log'], 'info' | 'error'>;
  readonly #look = () => this.#reread();

  /** Errors: `invalid_config` that says what is wrong with the file. */
  constructor(path: string, log: Pick<ApiParts['log'], 'info' | 'error'>, lookMs = LOOK_MS) {
    this.#path = path;
    this.#log = log;
    this.#keys = readKeys(path);
    watchFile(path, { interval: lookMs, persistent: false }, this.#look);
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

  /** All of them, in the file's order. */
  list(): ShownKey[] {
    return [...this.#keys.values()].map(({ entry, expires }) => ({
      name: entry.name,
      id: entry.id,
      scopes: entry.scopes,
      tenant: entry.tenant,
      collections: entry.collections,
      requestsPerSecond: entry.requestsPerSecond,
      concurrency: entry.concurrency,
      expires: entry.expires,
      expired: expires <= Date.now(),
    }));
  }

  close(): void {
    unwatchFile(this.#path, this.#look);
  }

  #reread(): void {
    try {
      this.#keys = readKeys(this.#path);
      this.#log.info({ keys: this.#keys.size }, 'the keys file was read again');
    } catch (error) {
      this.#log.error({ err: error }, 'the keys file cannot be used; the keys of before stay');
    }
  }
}

const NO_HASH = apiKeyHash('');

function readKeys(path: string): ReadonlyMap<string, KnownKey> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message;
    throw unusable(path, reason, error);
  }
  const parsed = apiKeysSchema.safeParse(value);
  if (!parsed.success) {
    const found = parsed.error.issues.map(
      ({ path: at, message }) => `${at.map(String).join('/')}: ${message}`,
    );
    throw unusable(path, found.join('; '));
  }
  return new Map(parsed.data.map((entry) => [entry.id, knownKey(entry)]));
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

function unusable(path: string, why: string, cause?: unknown): EmbedmillError {
  const message = `EMBEDMILL_API_KEYS_FILE: ${path} cannot be used: ${why}; "embedmill keys create" makes entries`;
  return new EmbedmillError('invalid_config', message, { cause });
}

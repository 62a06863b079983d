import { EmbedmillError, newApiKey, type ApiKeyEntry, type WantedKey } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import type { Queue } from '@embedmill/queue';
import { KeysFile } from './keys-file.ts';
import { KnownKeys, shownKey, type ShownKey } from './known-keys.ts';
import type { Principal } from './principal.ts';

/** How soon a key that another replica created or revoked takes effect. */
const LOOK_MS = 2000;

/** Where a key is stored: in the keys file, which the server does not write, or in the queue. */
export type ListedKey = ShownKey & { keptIn: 'file' | 'queue' };

type KeysLog = Pick<Log, 'info' | 'warn' | 'error'>;

/**
 * All keys: those of the keys file, if there is one, and those that administrators created through the API, which are stored
 * in the queue so that every replica has them. Both are watched until `close`. While the queue is unavailable, the last
 * keys stay in effect.
 */
export class ApiKeys {
  readonly #file: KeysFile | undefined;
  readonly #kept: Queue['apiKeys'];
  readonly #log: KeysLog;
  readonly #looking: NodeJS.Timeout;
  #known = new KnownKeys([]);
  /** The last read from the queue; a later one does not overtake it. */
  #looked: Promise<void>;

  /** Errors: `invalid_config` with the fault of the file. */
  constructor(path: string | undefined, kept: Queue['apiKeys'], log: KeysLog, lookMs = LOOK_MS) {
    this.#file = path === undefined ? undefined : new KeysFile(path, log);
    this.#kept = kept;
    this.#log = log;
    this.#looked = this.#look();
    this.#looking = setInterval(() => void this.#lookAgain(), lookMs);
    this.#looking.unref();
  }

  /** Resolves once the keys in the queue have been read for the first time. */
  ready(): Promise<void> {
    return this.#looked;
  }

  /** The owner of the key; undefined if there is no such key. Errors: `unauthenticated` if it has expired. */
  principalOf(key: string): Principal | undefined {
    return this.#file?.keys.principalOf(key) ?? this.#known.principalOf(key);
  }

  /** The owner of the key with this name; undefined if there is none or it has expired. */
  named(name: string): Principal | undefined {
    return this.#file?.keys.named(name) ?? this.#known.named(name);
  }

  /** Those of the file first. Errors: `queue_unavailable`. */
  async list(): Promise<ListedKey[]> {
    const inFile = this.#file?.keys.list() ?? [];
    const kept = await this.#kept.read();
    return [
      ...inFile.map((key) => ({ ...key, keptIn: 'file' as const })),
      ...kept.map((entry) => ({ ...shownKey(entry), keptIn: 'queue' as const })),
    ];
  }

  /**
   * Creates a key, which is returned only once. Errors: `forbidden` if it could do more than its creator, `invalid_request`
   * if the name is taken, `queue_unavailable`.
   */
  async create(wanted: WantedKey, maker: Principal): Promise<{ key: string; entry: ListedKey }> {
    assertWithin(maker, wanted, 'make');
    const { key, id, hash } = newApiKey();
    const entry = { ...wanted, id, hash };
    const inFile = this.#file?.keys.list() ?? [];
    await this.#change((kept) => {
      if ([...inFile, ...kept].some(({ name }) => name === wanted.name)) {
        const message = `another key already has the name ${JSON.stringify(wanted.name)}`;
        throw new EmbedmillError('invalid_request', message, { details: [{ path: 'name', message }] });
      }
      return [...kept, entry];
    });
    return { key, entry: { ...shownKey(entry), keptIn: 'queue' } };
  }

  /**
   * Revokes a key: this replica refuses it immediately, the others within seconds. Errors: `not_found`, `forbidden` if it
   * could do more than the caller or is in the keys file, `queue_unavailable`.
   */
  async revoke(id: string, by: Principal): Promise<ShownKey> {
    let revoked: ShownKey | undefined;
    await this.#change((kept) => {
      const entry = kept.find((one) => one.id === id);
      if (entry === undefined) throw this.#notKept(id);
      assertWithin(by, entry, 'revoke');
      revoked = shownKey(entry);
      return kept.filter((one) => one !== entry);
    });
    if (revoked === undefined) throw this.#notKept(id);
    return revoked;
  }

  close(): void {
    clearInterval(this.#looking);
    this.#file?.close();
  }

  #notKept(id: string): EmbedmillError {
    const inFile = this.#file?.keys.list().some((one) => one.id === id) === true;
    return inFile
      ? new EmbedmillError('forbidden', `the key ${id} is in the keys file; remove it there`)
      : new EmbedmillError('not_found', `there is no key ${id}`);
  }

  async #change(change: (keys: ApiKeyEntry[]) => ApiKeyEntry[]): Promise<void> {
    await this.#kept.change(change);
    // This replica uses it from now on.
    await this.#lookAgain();
  }

  #lookAgain(): Promise<void> {
    this.#looked = this.#looked.then(() => this.#look());
    return this.#looked;
  }

  async #look(): Promise<void> {
    try {
      this.#known = new KnownKeys(await this.#kept.read());
    } catch (error) {
      this.#log.warn({ err: error }, 'cannot read the keys from the queue; keeping the previous keys');
    }
  }
}

/** Refuses a key that can access more than the one that creates or revokes it. */
function assertWithin(maker: Principal, key: WantedKey, what: 'make' | 'revoke'): void {
  const { tenant, collections } = maker;
  const isOfTenant = tenant === undefined || key.tenant === tenant;
  const isOfCollections =
    collections === undefined || key.collections?.every((name) => collections.has(name)) === true;
  if (isOfTenant && isOfCollections) return;
  const own = isOfTenant
    ? `the collections ${[...(collections ?? [])].join(', ')}`
    : `the tenant ${JSON.stringify(tenant)}`;
  throw new EmbedmillError('forbidden', `${maker.name} is bound to ${own} and may only ${what} keys for it`);
}

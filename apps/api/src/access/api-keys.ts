import { EmbedmillError, newApiKey, type ApiKeyEntry, type WantedKey } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import type { Queue } from '@embedmill/queue';
import { KeysFile } from './keys-file.ts';
import { KnownKeys, shownKey, type ShownKey } from './known-keys.ts';
import type { Principal } from './principal.ts';

/** How soon a key that another replica made is taken, and one that it revoked is not. */
const LOOK_MS = 2000;

/** Where a key is kept: in the keys file, which the server does not write, or with the queue. */
export type ListedKey = ShownKey & { keptIn: 'file' | 'queue' };

type KeysLog = Pick<Log, 'info' | 'warn' | 'error'>;

/**
 * All keys: those of the file, where there is one, and those that administrators made here, which are kept with the queue,
 * so that every replica has them. Both are followed until `close`. While the queue is away, what was read last goes on.
 */
export class ApiKeys {
  readonly #file: KeysFile | undefined;
  readonly #kept: Queue['apiKeys'];
  readonly #log: KeysLog;
  readonly #looking: NodeJS.Timeout;
  #known = new KnownKeys([]);
  /** The last look at the queue; a later one does not overtake it. */
  #looked: Promise<void>;

  /** Errors: `invalid_config` that says what is wrong with the file. */
  constructor(path: string | undefined, kept: Queue['apiKeys'], log: KeysLog, lookMs = LOOK_MS) {
    this.#file = path === undefined ? undefined : new KeysFile(path, log);
    this.#kept = kept;
    this.#log = log;
    this.#looked = this.#look();
    this.#looking = setInterval(() => void this.#lookAgain(), lookMs);
    this.#looking.unref();
  }

  /** Resolves once the keys that are kept with the queue have been looked at for the first time. */
  ready(): Promise<void> {
    return this.#looked;
  }

  /** Whose key it is; undefined where there is no such key. Errors: `unauthenticated` for one that has expired. */
  principalOf(key: string): Principal | undefined {
    return this.#file?.keys.principalOf(key) ?? this.#known.principalOf(key);
  }

  /** Who has the key of this name; undefined where there is none, or it has expired. */
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
   * Makes a key, which is given back this once. Errors: `forbidden` where it could do more than its maker,
   * `invalid_request` where the name is taken, `queue_unavailable`.
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
   * Takes a key away: it is refused here from now on, and by every other replica within seconds. Errors: `not_found`,
   * `forbidden` where it could do more than whoever revokes it, or is in the keys file; `queue_unavailable`.
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
    // What this replica answers from now on has it.
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

/** Refuses a key that sees more than the one that makes or revokes it. */
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

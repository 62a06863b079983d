import { createHash } from 'node:crypto';
import { once, type SpoolStorage } from './spool-storage.ts';

/** What is kept of a map: how it stands, its points, and what further points are placed by. */
export type MapPart = 'state' | 'points' | 'landmarks';

/** Of which collection it is: one that is made anew under its name is another. */
export interface MappedCollection {
  name: string;
  createdAt: string;
}

/** Maps of collections, `maps/<collection>/<hash of what it shows>.<part>`: one of all documents, and one a tenant. */
export class StoredMaps {
  readonly #storage: SpoolStorage;

  constructor(storage: SpoolStorage) {
    this.#storage = storage;
  }

  /** Keeps a part in place of an earlier one. Errors: `spool_unavailable`, as of all. */
  async keep(of: MappedCollection, part: MapPart, bytes: Buffer, tenant?: string): Promise<void> {
    await this.#storage.write(keyOf(of, tenant, part), once(bytes), bytes.length);
  }

  /** What `keep` kept; undefined where there is none. */
  find(of: MappedCollection, part: MapPart, tenant?: string): Promise<Buffer | undefined> {
    return this.#storage.find(keyOf(of, tenant, part));
  }

  /** Removes all maps of collections of this name. */
  async removeAll(name: string): Promise<void> {
    await this.#storage.removeFolder(`maps/${name}`);
  }
}

function keyOf({ name, createdAt }: MappedCollection, tenant: string | undefined, part: MapPart): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([createdAt, tenant ?? null]))
    .digest('hex');
  return `maps/${name}/${hash.slice(0, 32)}.${part}`;
}

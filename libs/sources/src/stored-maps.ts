import { createHash } from 'node:crypto';
import { once, type SpoolStorage } from './spool-storage.ts';

/** The parts of a map: its state, its points, and the landmarks by which further points are placed. */
export type MapPart = 'state' | 'points' | 'landmarks';

/** Identifies the collection; one that was created again under the same name is different. */
export interface MappedCollection {
  name: string;
  createdAt: string;
}

/**
 * Maps of collections, `maps/<collection>/<hash of its selection>.<part>`: one of all documents, and one per tenant.
 */
export class StoredMaps {
  readonly #storage: SpoolStorage;

  constructor(storage: SpoolStorage) {
    this.#storage = storage;
  }

  /** Stores a part, replacing an earlier one. Errors: `spool_unavailable`, as for all methods. */
  async keep(of: MappedCollection, part: MapPart, bytes: Buffer, tenant?: string): Promise<void> {
    await this.#storage.write(keyOf(of, tenant, part), once(bytes), bytes.length);
  }

  /** The part stored by `keep`; undefined if there is none. */
  find(of: MappedCollection, part: MapPart, tenant?: string): Promise<Buffer | undefined> {
    return this.#storage.find(keyOf(of, tenant, part));
  }

  /** Removes all maps of collections with this name. */
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

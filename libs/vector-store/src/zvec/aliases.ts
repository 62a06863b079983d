import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { collectionNameSchema, EmbedmillError, parseKept, type CollectionName } from '@embedmill/jobs';
import type { Alias } from '../store.ts';
import { syncFile } from './collection-folder.ts';

const FILE = 'aliases.json';
export const aliasesSchema = z.strictObject({
  format: z.literal(1),
  aliases: z.record(collectionNameSchema, collectionNameSchema),
});

/**
 * The aliases of a folder of collections, in `aliases.json`, which is replaced as a whole and synced before a change
 * takes effect. The caller must run changes sequentially.
 */
export class Aliases {
  readonly #folder: string;
  #byName: ReadonlyMap<string, CollectionName>;

  private constructor(folder: string, byName: ReadonlyMap<string, CollectionName>) {
    this.#folder = folder;
    this.#byName = byName;
  }

  /** @throws EmbedmillError `store_unavailable` if this version cannot read the file. */
  static async read(folder: string): Promise<Aliases> {
    const file = join(folder, FILE);
    try {
      const { aliases } = parseKept(aliasesSchema, JSON.parse(await readFile(file, 'utf8')));
      return new Aliases(folder, new Map(Object.entries(aliases) as [string, CollectionName][]));
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return new Aliases(folder, new Map());
      const message = `this version of embedmill cannot read the aliases in ${file}; restore it, or move it away`;
      throw new EmbedmillError('store_unavailable', message, { cause: thrown });
    }
  }

  list(): Alias[] {
    return [...this.#byName]
      .map(([name, collection]) => ({ name: name as CollectionName, collection }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async move(name: CollectionName, collection: CollectionName | null): Promise<void> {
    const others = [...this.#byName].filter(([other]) => other !== name);
    await this.#replace(collection === null ? others : [...others, [name, collection]]);
  }

  /** Removes the aliases of a deleted collection. */
  async forget(collection: CollectionName): Promise<void> {
    const left = [...this.#byName].filter(([, one]) => one !== collection);
    if (left.length < this.#byName.size) await this.#replace(left);
  }

  async #replace(aliases: readonly (readonly [string, CollectionName])[]): Promise<void> {
    const file = join(this.#folder, FILE);
    const handle = await open(`${file}.new`, 'w', 0o600);
    try {
      await handle.writeFile(JSON.stringify({ format: 1, aliases: Object.fromEntries(aliases) }, null, 2));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(`${file}.new`, file);
    await syncFile(this.#folder);
    this.#byName = new Map(aliases);
  }
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Collection } from '@embedmill/jobs';
import { syncFiles, TOMBSTONES } from './collection-folder.ts';
import { documentDigest, SEQUENCE, tombstoneSchema } from './columns.ts';
import { inTurn, type Zvec } from './native.ts';
import type { DocumentKey } from '../store.ts';
import { ZvecTable } from './zvec-table.ts';

/**
 * The tombstones of a collection's deleted documents, with the sequence of each deletion. They are in a separate table,
 * because every row of the other tables is a point. The table is created with the first deletion. ZvecCollection
 * changes it only within its writes.
 */
export class Tombstones {
  readonly #zvec: Zvec;
  readonly #name: string;
  readonly #folder: string;
  #table: ZvecTable | undefined;

  private constructor(zvec: Zvec, name: string, folder: string, table: ZvecTable | undefined) {
    this.#zvec = zvec;
    this.#name = name;
    this.#folder = folder;
    this.#table = table;
  }

  static none(zvec: Zvec, { name }: Collection, folder: string): Tombstones {
    return new Tombstones(zvec, name, join(folder, TOMBSTONES), undefined);
  }

  /** Opens the tombstones in a collection's folder. */
  static async open(zvec: Zvec, { name }: Collection, folder: string): Promise<Tombstones> {
    const own = join(folder, TOMBSTONES);
    if (!existsSync(own)) return new Tombstones(zvec, name, own, undefined);
    return new Tombstones(zvec, name, own, await inTurn(() => ZvecTable.open(zvec, name, own)));
  }

  /** The sequences of the deleted ones of these documents, by the documents' digests. */
  async find(digests: readonly string[]): Promise<Map<string, number>> {
    if (this.#table === undefined || digests.length === 0) return new Map();
    const rows = await this.#table.fetch(digests, [SEQUENCE], false);
    return new Map([...rows].map(([id, { fields }]) => [id, fields[SEQUENCE] as number]));
  }

  async put(documents: readonly DocumentKey[], sequence: number): Promise<void> {
    this.#table ??= await this.#create();
    await this.#table.upsert([...documents], (document) => ({
      id: documentDigest(document),
      vectors: { none: [1] },
      fields: { [SEQUENCE]: sequence },
    }));
    await this.#table.sync();
  }

  /** Removes those with smaller sequences, and returns their number. */
  async purge(below: number): Promise<number> {
    if (this.#table === undefined) return 0;
    const before = this.#table.count();
    await this.#table.delete(`${SEQUENCE} < ${below}`);
    await this.#table.sync();
    return before - this.#table.count();
  }

  async close(): Promise<void> {
    await this.#table?.close();
  }

  async #create(): Promise<ZvecTable> {
    const schema = tombstoneSchema(this.#zvec);
    const table = await inTurn(() => ZvecTable.create(this.#zvec, this.#name, schema, this.#folder));
    await syncFiles(this.#folder);
    return table;
  }
}

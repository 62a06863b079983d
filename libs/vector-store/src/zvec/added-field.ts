import type { Collection } from '@embedmill/jobs';
import { groups } from '../groups.ts';
import { addedColumns, filterValuesOf, PAYLOAD } from './columns.ts';
import type { Zvec } from './native.ts';
import { payloadIn } from './table-search.ts';
import type { ZvecTable } from './zvec-table.ts';

/** The number of rows filled in one write, for which other writes wait. */
const ROWS_AT_ONCE = 1000;

/**
 * Fills the columns of fields added to a collection from the payloads of all rows, in batches.
 *
 * @param write runs a write in sequence with all others of the collection
 */
export async function fillAddedFields(
  zvec: Zvec,
  wanted: Collection,
  tables: readonly ZvecTable[],
  write: <T>(action: () => Promise<T>) => Promise<T>,
): Promise<void> {
  const valuesOf = filterValuesOf(wanted);
  for (const table of tables) {
    const ids = await write(async () => {
      await table.addColumns(addedColumns(zvec, wanted));
      const all: string[] = [];
      await table.forEach([], ({ id }) => all.push(id));
      return all;
    });
    for (const some of groups(ids, ROWS_AT_ONCE)) {
      await write(async () => {
        // Read within the write, so that nothing newer is overwritten.
        const rows = await table.fetch(some, [PAYLOAD], false);
        await table.update([...rows].map(([id, row]) => ({ id, fields: valuesOf(payloadIn(row)) })));
      });
    }
    await write(() => table.sync());
  }
}

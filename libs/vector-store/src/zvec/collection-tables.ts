import { denseVectors, type Collection, type DenseName, type DenseVector } from '@embedmill/jobs';

import { removeFolder, syncFiles, tableFolder } from './collection-folder.ts';
import { schemaOf } from './columns.ts';
import { inTurn, type Zvec } from './native.ts';
import { ZvecTable } from './zvec-table.ts';

/** Opens a table for each dense vector of the collection, by name; if one fails, none stays open. */
export async function tablesOf(
  collection: Collection,
  make: (vector: DenseVector) => Promise<ZvecTable>,
): Promise<Map<DenseName, ZvecTable>> {
  const tables = new Map<DenseName, ZvecTable>();
  try {
    for (const vector of denseVectors(collection)) tables.set(vector.name, await make(vector));
    return tables;
  } catch (thrown) {
    for (const table of tables.values()) await table.close();
    throw thrown;
  }
}

/** A new, empty table of one of the collection's dense vectors, in its folder. */
export async function createTable(
  zvec: Zvec,
  collection: Collection,
  vector: DenseVector,
  folder: string,
): Promise<ZvecTable> {
  const itsFolder = tableFolder(folder, vector.name);
  // Removes possible remains of a crash or a failed change.
  await removeFolder(itsFolder);
  const schema = schemaOf(zvec, collection, vector.dims);
  const table = await inTurn(() => ZvecTable.create(zvec, collection.name, schema, itsFolder));
  await syncFiles(itsFolder);
  return table;
}

/** The rows of other tables that are missing in this vector's table. */
export async function countLacking(
  tables: ReadonlyMap<DenseName, ZvecTable>,
  vector: DenseName,
): Promise<number> {
  const table = tables.get(vector);
  const others = [...tables.values()].filter((one) => one !== table);
  if (others.length === 0) return 0;
  const having = new Set<string>();
  await table?.forEach([], ({ id }) => having.add(id));
  const lacking = new Set<string>();
  for (const one of others) {
    await one.forEach([], ({ id }) => {
      if (!having.has(id)) lacking.add(id);
    });
  }
  return lacking.size;
}

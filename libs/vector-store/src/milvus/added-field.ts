import { denseVectors, type Collection, type PointId } from '@embedmill/jobs';
import { FACTS, filterColumnsOf, RANGES } from './filter-columns.ts';
import { headsOf } from './heads.ts';
import type { MilvusConnection } from './milvus-connection.ts';
import { oneOf } from './milvus-filter.ts';
import { countedSchemes, KEY, PAYLOAD, payloadIn, schemeFact, type Row } from './point-rows.ts';
import { vectorTable } from './table-names.ts';

/** The number of rows changed at once. */
const ROWS_AT_ONCE = 500;
const MOST_TRIES = 5;

/**
 * Adds the filter columns of a newly filterable field to existing rows.
 *
 * @param documents only these; all by default
 */
export async function fillFields(
  connection: MilvusConnection,
  collection: Collection,
  documents?: PointId[],
): Promise<void> {
  const lacking = lackingRows(collection);
  const filter = documents && oneOf('document', documents);
  const columns = [KEY, 'tenant', 'document', 'sequence', PAYLOAD, FACTS];
  for (const { name } of denseVectors(collection)) {
    const table = vectorTable(collection, name);
    for await (const page of connection.pages(table, { filter, columns, limit: ROWS_AT_ONCE }))
      await fillRows(lacking(page), table);
  }

  async function fillRows(lackingFirst: Row[], table: string): Promise<void> {
    let rows = lackingFirst;
    for (let tries = 1; rows.length > 0; tries += 1) {
      await connection.update(table, rows).catch((thrown: unknown) => {
        // A row may have been removed meanwhile.
        if (tries === MOST_TRIES) throw thrown;
      });
      await removeOvertaken(connection, collection, table, rows);
      // A row that was rewritten meanwhile now has the values read from its predecessor.
      const keys = rows.map((row) => row[KEY] as string);
      rows = lacking(await connection.rows(table, { filter: oneOf(KEY, keys), columns }));
    }
  }
}

/** The rows whose filter columns are wrong, with the correct values. */
function lackingRows(collection: Collection): (rows: Row[]) => Row[] {
  const make = filterColumnsOf(collection);
  const schemes = countedSchemes(collection);
  return (rows) =>
    rows.flatMap(({ [KEY]: key, [PAYLOAD]: payload, [FACTS]: held, tenant, document, sequence }) => {
      const there = held as string[];
      const { facts, ranges } = make(payloadIn({ [PAYLOAD]: payload }));
      for (const scheme of schemes) if (there.includes(schemeFact(scheme))) facts.push(schemeFact(scheme));
      const isSame = facts.length === there.length && facts.every((fact) => there.includes(fact));
      return isSame ? [] : [{ [KEY]: key, tenant, document, sequence, [FACTS]: facts, [RANGES]: ranges }];
    });
}

/** Rows that were removed between reading and writing; another sequence decides their documents. */
async function removeOvertaken(
  connection: MilvusConnection,
  collection: Collection,
  table: string,
  rows: Row[],
): Promise<void> {
  const documents = [...new Set(rows.map((row) => row['document'] as PointId))];
  if (documents.length === 0) return;
  const heads = await headsOf(connection, collection, documents);
  const overtaken = rows.filter((row) => {
    const head = heads.get(row['document'] as PointId)?.head;
    return head !== undefined && head.sequence !== Number(row['sequence']);
  });
  const keys = overtaken.map((row) => row[KEY] as string);
  if (keys.length > 0) await connection.delete(table, oneOf(KEY, keys));
}

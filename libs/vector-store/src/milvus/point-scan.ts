import { denseVectors, type Collection, type PointId } from '@embedmill/jobs';
import { sparseSchemes } from '../collections.ts';
import type { StoredPoint } from '../store.ts';
import type { MilvusConnection } from './milvus-connection.ts';
import { oneOf } from './milvus-filter.ts';
import { KEY, keyAfter, PAYLOAD, pointIn, storedPoint, VECTOR, type Row } from './point-rows.ts';
import { vectorTable } from './table-names.ts';

/** The number of points with vectors per response: a few megabytes. */
const POINTS_AT_ONCE = 256;

/**
 * The points that match a filter, with their vectors, in order of their ids, in batches.
 *
 * @param after the point before the first, which need not exist any more
 * @param limit the total number wanted, so that no much longer page is requested
 */
export async function* pointPages(
  connection: MilvusConnection,
  collection: Collection,
  filter: string | undefined,
  after?: PointId,
  limit = Infinity,
): AsyncGenerator<StoredPoint[]> {
  const columns = [KEY, PAYLOAD, VECTOR, ...sparseSchemes(collection)];
  const pages = rowPages(connection, collection, { filter, columns, after, limit, atOnce: POINTS_AT_ONCE });
  for await (const rows of pages) yield await withOthers(connection, collection, rows);
}

/** Like `pointPages`, with only these columns: for each point its newest version. */
export async function* rowPages(
  connection: MilvusConnection,
  collection: Collection,
  {
    filter,
    columns,
    after,
    limit,
    atOnce,
  }: {
    filter: string | undefined;
    columns: string[];
    after: PointId | undefined;
    limit: number;
    atOnce: number;
  },
): AsyncGenerator<Row[]> {
  const table = vectorTable(collection, collection.vector);
  // Reads one more than needed, to know that the last one has no newer version.
  const size = Math.min(limit + 1, atOnce);
  /** The last row of a page, which a newer version may follow. */
  let held: Row | undefined;
  const wanted = { filter, columns, limit: size, after: after && keyAfter(after) };
  for await (const page of connection.pages(table, wanted)) {
    const rows = held === undefined ? page : [held, ...page];
    const newest = rows.filter((row, n) => !isSamePoint(row, rows[n + 1]));
    held = newest.pop();
    if (newest.length > 0) yield newest;
  }
  if (held !== undefined) yield [held];
}

async function withOthers(
  connection: MilvusConnection,
  collection: Collection,
  rows: Row[],
): Promise<StoredPoint[]> {
  const [, other] = denseVectors(collection);
  const others = new Map<unknown, Row>();
  if (other !== undefined) {
    const keys = rows.map((row) => row[KEY] as string);
    const found = await connection.rows(vectorTable(collection, other.name), {
      filter: oneOf(KEY, keys),
      columns: [KEY, VECTOR],
    });
    for (const row of found) others.set(row[KEY], row);
  }
  return rows.map((row) => storedPoint(collection, row, others.get(row[KEY])));
}

function isSamePoint(a: Row, b: Row | undefined): boolean {
  return b !== undefined && pointIn(a[KEY] as string) === pointIn(b[KEY] as string);
}

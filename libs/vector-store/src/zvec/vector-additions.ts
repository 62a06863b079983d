import type { DenseName, PointId } from '@embedmill/jobs';
import { groups } from '../groups.ts';
import type { VectorAddition } from '../store.ts';
import * as column from './columns.ts';
import { payloadIn } from './table-search.ts';
import type { ZvecTable } from './zvec-table.ts';

/** The number of points that get a second vector at once. */
const POINTS_AT_ONCE = 256;

/**
 * Adds second vectors to points: each gets a complete row in the vector's table, copied from the searched table, which
 * records the hash of the vector's input. Skips points that already have one, do not exist, or were replaced.
 */
export async function addVectorsTo(
  other: ZvecTable,
  current: ZvecTable,
  vectorName: DenseName,
  vectors: readonly VectorAddition[],
): Promise<void> {
  for (const some of groups(vectors, POINTS_AT_ONCE)) {
    const values = new Map(some.map((one) => [one.id, one.values]));
    const additions = new Map<string, VectorAddition>(some.map((one) => [one.id, one]));
    for (const id of (await other.fetch([...values.keys()], [], false)).keys()) values.delete(id as PointId);
    const rows = await current.fetch([...values.keys()], undefined, true);
    const unchanged = [...rows.values()].filter(({ id, fields }) => {
      const sequence = additions.get(id)?.sequence;
      return sequence === undefined || sequence === Number(fields[column.SEQUENCE] ?? 0);
    });
    const hashed = unchanged.flatMap((row) => {
      const hash = additions.get(row.id)?.hash;
      if (hash === undefined) return [];
      const payload = payloadIn(row);
      const hashes = { ...payload.hashes, [vectorName]: hash };
      return { id: row.id, fields: { [column.PAYLOAD]: JSON.stringify({ ...payload, hashes }) } };
    });
    const payloads = new Map(hashed.map(({ id, fields }) => [id, fields]));
    await other.upsert(unchanged, ({ id, fields, vectors: its }) => ({
      id,
      fields: { ...fields, ...payloads.get(id) },
      vectors: { ...its, [column.VECTOR]: values.get(id as PointId) ?? [] },
    }));
    await current.update(hashed);
  }
  await other.sync();
  await current.sync();
}

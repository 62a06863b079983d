import type { PointId, TenantId } from '@embedmill/jobs';
import { satisfies, type Condition } from '../condition.ts';
import type { PointScan, StoredPoint } from '../store.ts';
import { PointOrder } from './point-order.ts';
import { readPayloads, readPoints, type Tables } from './point-reader.ts';
import type { ZvecTable } from './zvec-table.ts';

/** Points that are read with their vectors at once. */
const POINTS_AT_ONCE = 256;

/**
 * Scans of a collection. zvec gives rows in no order, so the order of the ids is taken when a scan begins, and kept until
 * one has come to its end. It serves scans that began earlier as well: it has every point that was there all the time.
 *
 * ZvecCollection has the order taken in a write, and then reads pages.
 */
export class PointScanner {
  #order: PointOrder | undefined;

  /** The order that a page is cut from; undefined where it has to be taken first. */
  orderFor({ after }: PointScan): PointOrder | undefined {
    return after === undefined ? undefined : this.#order;
  }

  async takeOrder(table: ZvecTable): Promise<PointOrder> {
    const ids: PointId[] = [];
    await table.forEach([], ({ id }) => ids.push(id as PointId));
    return (this.#order = new PointOrder(ids));
  }

  async page(
    order: PointOrder,
    tables: Tables,
    { limit, after, tenant }: PointScan,
    condition: Condition | undefined,
  ): Promise<StoredPoint[]> {
    const page: StoredPoint[] = [];
    for (let last = after; ;) {
      const ids = order.after(last, Math.min(limit, POINTS_AT_ONCE));
      last = ids.at(-1);
      if (last === undefined) {
        if (this.#order === order) this.#order = undefined;
        return page;
      }
      for (const point of await readPoints(tables, await selected(tables.current, ids, tenant, condition))) {
        page.push(point);
        if (page.length === limit) return page;
      }
    }
  }
}

/** Those of the ids whose points are selected. */
async function selected(
  table: ZvecTable,
  ids: readonly PointId[],
  tenant: TenantId | undefined,
  condition: Condition | undefined,
): Promise<readonly PointId[]> {
  if (tenant === undefined && condition === undefined) return ids;
  const payloads = await readPayloads(table, ids);
  return ids.filter((id) => {
    const payload = payloads.get(id);
    return (
      payload !== undefined &&
      (tenant === undefined || payload.tenant === tenant) &&
      (condition === undefined || satisfies(condition, payload))
    );
  });
}

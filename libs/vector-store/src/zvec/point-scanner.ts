import type { PointId, TenantId } from '@embedmill/jobs';
import { satisfies, type Condition } from '../condition.ts';
import type { DocumentScan, PointPayload, PointScan, ScannedDocument, StoredPoint } from '../store.ts';
import { PointOrder } from './point-order.ts';
import { readPayloads, readPoints, type Tables } from './point-reader.ts';
import type { ZvecTable } from './zvec-table.ts';

/** The number of points read with their vectors at once. */
const POINTS_AT_ONCE = 256;

/**
 * Scans of a collection. zvec returns rows in no order, so the ids are sorted when a scan begins, and kept until a scan
 * ends. This order also serves scans that began earlier, because it has every point that existed throughout.
 *
 * ZvecCollection takes the order within a write, and then reads pages.
 */
export class PointScanner {
  #order: PointOrder | undefined;

  /** The order for a page; undefined if it must be taken first. */
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
    return this.#page(order, { limit, after }, async (ids) =>
      readPoints(tables, await selected(tables.current, ids, tenant, condition)),
    );
  }

  async documents(
    order: PointOrder,
    table: ZvecTable,
    { limit, after, tenant, source }: DocumentScan,
    condition: Condition | undefined,
  ): Promise<ScannedDocument[]> {
    return this.#page(order, { limit, after }, async (ids) => {
      const payloads = await readPayloads(table, ids);
      return ids.flatMap((point) => {
        const payload = payloads.get(point);
        if (payload?.chunk_index !== 0 || !isSelected(payload, tenant, condition)) return [];
        if (source !== undefined && (payload.source ?? null) !== source) return [];
        return { point, tenant: payload.tenant, id: payload.document_id };
      });
    });
  }

  /** Reads this many items by the ids of an order, and drops the order at its end. */
  async #page<T>(
    order: PointOrder,
    { limit, after }: Pick<PointScan, 'limit' | 'after'>,
    read: (ids: readonly PointId[]) => Promise<T[]>,
  ): Promise<T[]> {
    const page: T[] = [];
    for (let last = after; ;) {
      const ids = order.after(last, Math.min(limit, POINTS_AT_ONCE));
      last = ids.at(-1);
      if (last === undefined) {
        if (this.#order === order) this.#order = undefined;
        return page;
      }
      for (const one of await read(ids)) {
        page.push(one);
        if (page.length === limit) return page;
      }
    }
  }
}

/** The ids whose points are selected. */
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
    return payload !== undefined && isSelected(payload, tenant, condition);
  });
}

function isSelected(
  payload: PointPayload,
  tenant: TenantId | undefined,
  condition: Condition | undefined,
): boolean {
  if (tenant !== undefined && payload.tenant !== tenant) return false;
  return condition === undefined || satisfies(condition, payload);
}

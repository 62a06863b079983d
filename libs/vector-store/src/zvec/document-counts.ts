import type { TenantId } from '@embedmill/jobs';
import type { ZVecDoc } from '@zvec/zvec';
import type { CountedField, DocumentCount, PointPayload } from '../store.ts';
import * as column from './columns.ts';
import type { ZvecTable } from './zvec-table.ts';

/** The key under which a document is counted: its tenant's digest, and the field's value. */
interface Counted {
  changes: number;
  table: ZvecTable;
  /** By tenant digest, then by value. */
  tenants: Map<string, Map<string | null, number>>;
}

/**
 * Counts documents by a field of their payloads, in one pass over the rows on request. The result is cached until the
 * next write. Passes for the same field run one at a time.
 */
export class DocumentCounts {
  readonly #counted = new Map<CountedField, Counted>();
  #last: Promise<unknown> = Promise.resolve();

  async by(field: CountedField, table: ZvecTable, tenant: TenantId | undefined): Promise<DocumentCount[]> {
    const pass = this.#last.then(() => this.#upToDate(field, table));
    this.#last = pass.catch(() => undefined);
    const { tenants } = await pass;
    const wanted = tenant === undefined ? [...tenants.values()] : [tenants.get(column.digest(tenant))];
    const sums = new Map<string | null, number>();
    for (const counts of wanted) {
      for (const [value, documents] of counts ?? []) sums.set(value, (sums.get(value) ?? 0) + documents);
    }
    return [...sums].map(([value, documents]) => ({ value, documents }));
  }

  async #upToDate(field: CountedField, table: ZvecTable): Promise<Counted> {
    const known = this.#counted.get(field);
    if (known !== undefined && known.table === table && known.changes === table.changes) return known;
    const counted = await count(field, table);
    this.#counted.set(field, counted);
    return counted;
  }
}

/** The number of points in a table, of all tenants or of one. */
export async function countPoints(table: ZvecTable, tenant: TenantId | undefined): Promise<number> {
  if (tenant === undefined) return table.count();
  const digest = column.digest(tenant);
  let points = 0;
  await table.forEach([column.TENANT], ({ fields }) => {
    if (fields[column.TENANT] === digest) points += 1;
  });
  return points;
}

async function count(field: CountedField, table: ZvecTable): Promise<Counted> {
  const { changes } = table;
  const tenants: Counted['tenants'] = new Map();
  const add = (row: ZVecDoc, value: string | null): void => {
    const digest = row.fields[column.TENANT] as string;
    const counts = tenants.get(digest) ?? new Map<string | null, number>();
    tenants.set(digest, counts);
    counts.set(value, (counts.get(value) ?? 0) + 1);
  };
  const isHead = (row: ZVecDoc): boolean => row.fields[column.CHUNK_INDEX] === 0;
  switch (field) {
    case 'tenant': {
      // One row per tenant gives its name, because reading all payloads would take long.
      const example = new Map<string, string>();
      await table.forEach([column.TENANT, column.CHUNK_INDEX], (row) => {
        if (!isHead(row)) return;
        const digest = row.fields[column.TENANT] as string;
        if (!example.has(digest)) example.set(digest, row.id);
        add(row, digest);
      });
      const rows = await table.fetch([...example.values()], [column.PAYLOAD], false);
      for (const [digest, counts] of tenants) {
        const name = rows.get(example.get(digest) ?? '');
        // The chosen row was deleted meanwhile: the count is older than that, and not cached.
        if (name === undefined) return count(field, table);
        tenants.set(digest, new Map([[payloadOf(name).tenant, counts.get(digest) ?? 0]]));
      }
      break;
    }
    case 'source':
      await table.forEach([column.TENANT, column.CHUNK_INDEX, column.PAYLOAD], (row) => {
        if (isHead(row)) add(row, payloadOf(row).source ?? null);
      });
  }
  return { changes, table, tenants };
}

function payloadOf({ fields }: ZVecDoc): PointPayload {
  return JSON.parse(fields[column.PAYLOAD] as string) as PointPayload;
}

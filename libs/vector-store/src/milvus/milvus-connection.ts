import { EmbedmillError } from '@embedmill/jobs';
import type { MilvusClient, RowData } from '@zilliz/milvus2-sdk-node';
import pLimit, { type LimitFunction } from 'p-limit';
import { KnownDefinitions } from '../known-definitions.ts';
import { request } from './milvus-request.ts';
import { KEY, type Row } from './point-rows.ts';
import { quoted } from './milvus-filter.ts';
import type { DataTypes, Table } from './tables.ts';

/** The maximum number of concurrent writes. */
const WRITES_AT_ONCE = 3;
/** Milvus' `Strong` consistency: reads see all acknowledged writes. */
const STRONG = 0;
/** The maximum number of points in one Milvus search or page. */
export const MOST_ROWS = 16_384;

/** The time limits for a response, in milliseconds. */
export interface Patience {
  /** For requests that someone is waiting for; not retried. */
  search: number;
  /** For writes, counts and definitions, which are retried. */
  other: number;
}

export interface FoundRow {
  key: string;
  score: number;
  row: Row;
}

export interface Rows {
  filter?: string | undefined;
  columns: string[];
  limit?: number | undefined;
  /** In order of keys, those after this one. */
  after?: string | undefined;
  isPrompt?: boolean;
}

/** Sends Milvus' requests on tables, converts errors, and caches the collections' definitions. */
export class MilvusConnection {
  readonly description: string;
  readonly types: DataTypes;
  readonly definitions = new KnownDefinitions();
  readonly #client: MilvusClient;
  readonly #patience: Patience;
  readonly #onThrottled: (() => void) | undefined;
  readonly #loaded = new Map<string, Promise<void>>();
  readonly #writes = new Map<string, LimitFunction>();
  #isLite: Promise<boolean> | undefined;

  constructor(
    client: MilvusClient,
    types: DataTypes,
    address: string,
    patience: Patience,
    onThrottled: (() => void) | undefined,
  ) {
    this.#client = client;
    this.types = types;
    this.description = `Milvus, ${address}`;
    this.#patience = patience;
    this.#onThrottled = onThrottled;
  }

  async version(): Promise<string> {
    const { version } = await this.#send(undefined, () => this.#client.getVersion(), true);
    return version;
  }

  async close(): Promise<void> {
    await this.#client.closeConnection();
  }

  /** Creates a table with its indexes, as far as they are missing. */
  async create(name: string, table: Table): Promise<void> {
    const client = this.#client;
    if (!(await this.has(name))) {
      const wanted = {
        collection_name: name,
        fields: table.fields,
        consistency_level: 'Strong' as const,
        ...(table.fields.some((field) => field.is_partition_key === true) ? { num_partitions: 16 } : {}),
      };
      try {
        await this.#send(name, (timeout) => client.createCollection({ ...wanted, timeout }));
      } catch (thrown) {
        // Another process may have created it meanwhile, or this one, by a request whose response was lost.
        if (!(await this.has(name))) throw thrown;
      }
    }
    const isLite = await this.isLite();
    const isList = (field: string) =>
      table.fields.some((one) => one.name === field && one.data_type === this.types.Array);
    for (const [field_name, index] of Object.entries(table.indexes)) {
      // Milvus Lite has no indexes on lists.
      if (isLite && isList(field_name)) continue;
      const wanted = { collection_name: name, field_name, index_name: field_name, ...index };
      try {
        await this.#send(name, (timeout) => client.createIndex({ ...wanted, timeout }));
      } catch (thrown) {
        if (!(await this.#hasIndex(name, field_name))) throw thrown;
      }
    }
    await this.#load(name);
  }

  async #hasIndex(name: string, field_name: string): Promise<boolean> {
    const answer = await this.#client.describeIndex({ collection_name: name, field_name });
    return answer.index_descriptions.length > 0;
  }

  async has(name: string): Promise<boolean> {
    const answer = await this.#send(undefined, (timeout) =>
      this.#client.hasCollection({ collection_name: name, timeout }),
    );
    return Boolean(answer.value);
  }

  async tables(): Promise<string[]> {
    const { data } = await this.#send(undefined, (timeout) => this.#client.showCollections({ timeout }));
    return data.map((table) => table.name);
  }

  /** Whether the table existed. */
  async drop(name: string): Promise<boolean> {
    this.#loaded.delete(name);
    if (!(await this.has(name))) return false;
    await this.#send(undefined, (timeout) => this.#client.dropCollection({ collection_name: name, timeout }));
    return true;
  }

  async upsert(name: string, rows: Row[]): Promise<void> {
    if (rows.length === 0) return;
    const data = rows as RowData[];
    await this.#write(name, (timeout) => this.#client.upsert({ collection_name: name, data, timeout }));
  }

  /** Changes these columns of existing rows. Errors: `store_rejected` if one does not exist. */
  async update(name: string, rows: Row[]): Promise<void> {
    if (rows.length === 0) return;
    const wanted = { collection_name: name, data: rows as RowData[], partial_update: true };
    await this.#write(name, (timeout) => this.#client.upsert({ ...wanted, timeout }));
  }

  async delete(name: string, filter: string): Promise<void> {
    await this.#write(name, (timeout) => this.#client.delete({ collection_name: name, filter, timeout }));
  }

  async count(name: string, filter: string, isPrompt = false): Promise<number> {
    const [row] = await this.rows(name, { filter, columns: ['count(*)'], isPrompt });
    return Number(row?.['count(*)'] ?? 0);
  }

  async rows(name: string, { filter = '', columns, limit, after, isPrompt = false }: Rows): Promise<Row[]> {
    await this.#load(name);
    const later = after === undefined ? '' : `${KEY} > ${quoted(after)}`;
    const both = [later, filter && `(${filter})`].filter((part) => part !== '').join(' and ');
    const page = limit === undefined ? {} : { limit, params: IN_ORDER };
    const { data } = await this.#send(
      name,
      (timeout) =>
        this.#client.query({
          collection_name: name,
          filter: both,
          output_fields: columns,
          consistency_level: STRONG,
          ...page,
          timeout,
        }),
      isPrompt,
    );
    return data;
  }

  /** All rows that match a filter, in order of keys, in batches. */
  async *pages(name: string, { limit = 1000, ...wanted }: Rows): AsyncGenerator<Row[]> {
    for (let after = wanted.after; ;) {
      const page = await this.rows(name, { ...wanted, limit, after });
      if (page.length > 0) yield page;
      if (page.length < limit) return;
      after = page.at(-1)?.[KEY] as string;
    }
  }

  /** The rows nearest to a vector, best first. */
  async search(
    name: string,
    wanted: {
      column: string;
      vector: number[] | Record<number, number>;
      metric: 'COSINE' | 'IP';
      limit: number;
      filter: string | undefined;
      columns: string[];
      params: Record<string, number>;
    },
  ): Promise<FoundRow[]> {
    await this.#load(name);
    const { results } = await this.#send(
      name,
      (timeout) =>
        this.#client.search({
          collection_name: name,
          anns_field: wanted.column,
          data: wanted.vector,
          metric_type: wanted.metric,
          limit: wanted.limit,
          ...(wanted.filter === undefined ? {} : { filter: wanted.filter }),
          output_fields: wanted.columns,
          params: wanted.params,
          consistency_level: STRONG,
          timeout,
        }),
      true,
    );
    return (results as unknown as Row[]).map((row) => ({
      key: row[KEY] as string,
      score: Number(row['score']),
      row,
    }));
  }

  /** Milvus Lite accepts only one write per table at a time, and has no indexes on lists. */
  isLite(): Promise<boolean> {
    this.#isLite ??= this.version().then(isLite);
    this.#isLite.catch(() => (this.#isLite = undefined));
    return this.#isLite;
  }

  /**
   * Loads a table, once per process: only loaded tables can be read and searched, and after a restart they may not be
   * loaded.
   */
  #load(name: string): Promise<void> {
    const known = this.#loaded.get(name);
    if (known !== undefined) return known;
    const loading = this.#send(name, (timeout) =>
      this.#client.loadCollectionSync({ collection_name: name, timeout }),
    ).then(() => undefined);
    this.#loaded.set(name, loading);
    loading.catch(() => this.#loaded.delete(name));
    return loading;
  }

  async #write<T>(name: string, send: (timeout: number) => Promise<T>): Promise<T> {
    let limit = this.#writes.get(name);
    if (limit === undefined) {
      limit = pLimit((await this.isLite()) ? 1 : WRITES_AT_ONCE);
      this.#writes.set(name, limit);
    }
    return limit(() => this.#send(name, send));
  }

  async #send<T>(
    name: string | undefined,
    send: (timeout: number) => Promise<T>,
    isPrompt = false,
  ): Promise<T> {
    const what = name === undefined ? this.description : `${this.description}, collection "${name}"`;
    const patience = isPrompt ? this.#patience.search : this.#patience.other;
    try {
      return await request(what, () => send(patience), {
        triesAfterTimeout: !isPrompt,
        onThrottled: this.#onThrottled,
      });
    } catch (thrown) {
      const error = thrown as EmbedmillError;
      if (error.code === 'store_rejected' && name !== undefined && !(await this.has(name))) {
        this.#loaded.delete(name);
        throw new EmbedmillError('collection_not_found', error.message, { cause: error });
      }
      if (error.code === 'collection_not_found' && name !== undefined) this.#loaded.delete(name);
      throw error;
    }
  }
}

/** Whether this is a version of Milvus Lite. */
export function isLite(version: string): boolean {
  return version.startsWith('milvus_lite');
}

/** The options for pages in order of keys. */
const IN_ORDER = { iterator: 'True', reduce_stop_for_best: 'True' };

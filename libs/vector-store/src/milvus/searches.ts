import {
  WITH_IDF,
  type Collection,
  type CollectionName,
  type PointId,
  type SparseScheme,
  type SparseVector,
  type TenantId,
} from '@embedmill/jobs';
import { sparseSchemes } from '../collections.ts';
import { conditionOf, satisfies, type Condition } from '../condition.ts';
import { groups } from '../groups.ts';
import { inverseFrequency } from '../inverse-frequency.ts';
import { firstInOrder } from '../ranking.ts';
import type {
  NearSearch,
  PointPayload,
  PointVectors,
  RankedPoint,
  ScoredPoint,
  VectorSearch,
} from '../store.ts';
import { checkScheme, checkSearchVector } from '../vector-check.ts';
import { FACTS } from './filter-columns.ts';
import { MOST_ROWS, type MilvusConnection } from './milvus-connection.ts';
import { milvusExpression, oneOf, selection } from './milvus-filter.ts';
import {
  KEY,
  LEAST_SCORE,
  PAYLOAD,
  payloadIn,
  pointIn,
  schemeFact,
  sparseRow,
  termsColumn,
  vectorsIn,
  VECTOR,
  type Row,
} from './point-rows.ts';
import type { Registry } from './registry.ts';
import { vectorTable } from './table-names.ts';
import { denseSearchParams } from './tables.ts';

/** The number of payloads per request. */
const PAYLOADS_AT_ONCE = 128;
/** The maximum number of concurrent searches. */
const SEARCHES_AT_ONCE = 8;

/** A found version of a point. */
interface Found {
  id: PointId;
  key: string;
  score: number;
}

/** Searches of collections in Milvus. */
export class Searches {
  readonly #connection: MilvusConnection;
  readonly #registry: Registry;

  constructor(connection: MilvusConnection, registry: Registry) {
    this.#connection = connection;
    this.#registry = registry;
  }

  async find(name: CollectionName, search: VectorSearch): Promise<ScoredPoint[]> {
    const collection = await this.#registry.collection(name);
    const { table, found } = await this.#rank(collection, search);
    return this.#withPayloads(table, found);
  }

  async rank(name: CollectionName, searches: VectorSearch[]): Promise<RankedPoint[][]> {
    const collection = await this.#registry.collection(name);
    const ranked = await Promise.all(searches.map((search) => this.#rank(collection, search)));
    return ranked.map(({ found }) => found.map(({ id, score }) => ({ id, score })));
  }

  async findNear(
    name: CollectionName,
    points: PointId[],
    { threshold, limit, filter, tenant }: NearSearch,
  ): Promise<RankedPoint[][]> {
    const collection = await this.#registry.collection(name);
    const rows = await this.#newestRows(collection, points, [VECTOR]);
    const near = new Map<PointId, RankedPoint[]>();
    for (const some of groups([...rows], SEARCHES_AT_ONCE)) {
      const searches = some.map(([, row]): VectorSearch => {
        const values = Float32Array.from(row[VECTOR] as number[]);
        // One more than needed, because the point itself is found, too.
        return { vector: { kind: 'dense', values }, filter, tenant, limit: limit + 1, offset: 0 };
      });
      const ranked = await this.rank(name, searches);
      for (const [n, [own]] of some.entries()) {
        const others = (ranked[n] ?? []).filter(({ id, score }) => id !== own && score >= threshold);
        near.set(own, others.slice(0, limit));
      }
    }
    return points.map((id) => near.get(id) ?? []);
  }

  async payloads(name: CollectionName, points: PointId[]): Promise<Map<PointId, PointPayload>> {
    const collection = await this.#registry.collection(name);
    const rows = await this.#newestRows(collection, points, [PAYLOAD]);
    return new Map([...rows].map(([id, row]) => [id, payloadIn(row)]));
  }

  async vectors(
    name: CollectionName,
    points: PointId[],
    tenant: TenantId | undefined,
  ): Promise<Map<PointId, PointVectors>> {
    const collection = await this.#registry.collection(name);
    const columns = [VECTOR, ...sparseSchemes(collection), ...(tenant === undefined ? [] : ['tenant'])];
    const rows = await this.#newestRows(collection, points, columns);
    const own = [...rows].filter(([, row]) => tenant === undefined || row['tenant'] === tenant);
    return new Map(own.map(([id, row]) => [id, vectorsIn(collection, row)]));
  }

  async termFactors(name: CollectionName, scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array> {
    const collection = await this.#registry.collection(name);
    checkScheme(collection, scheme);
    if (WITH_IDF.has(scheme)) return Float32Array.from(await this.#frequencies(collection, scheme, terms));
    const factors = new Float32Array(terms.length);
    for (const [at, term] of terms.entries()) {
      const vector = sparseRow({ indices: Uint32Array.of(term), values: Float32Array.of(1) });
      if (Object.keys(vector).length === 0) continue;
      const [best] = await this.#connection.search(vectorTable(collection, collection.vector), {
        column: scheme,
        vector,
        metric: 'IP',
        limit: 1,
        filter: undefined,
        columns: [KEY],
        params: {},
      });
      factors[at] = best !== undefined && best.score > LEAST_SCORE ? 1 : 0;
    }
    return factors;
  }

  /** Hits, with their table. */
  async #rank(
    collection: Collection,
    { vector, limit, offset, filter, tenant }: VectorSearch,
  ): Promise<{ table: string; found: Found[] }> {
    checkSearchVector(collection, vector);
    const condition = filter && conditionOf(filter, collection.profile.filterable);
    const expression = condition && milvusExpression(condition);
    const checked = expression?.exact === false ? condition : undefined;
    const look = await this.#lookFor(collection, vector);
    if (look === undefined) return { table: '', found: [] };
    const found = await firstInOrder(offset + limit, MOST_ROWS, async (depth) => {
      const rows = await this.#connection.search(look.table, {
        ...look,
        limit: depth,
        filter: selection(tenant, expression),
        // Payloads are much larger than keys and scores, so only those of the wanted points are read.
        columns: [KEY],
        params: vector.kind === 'dense' ? denseSearchParams(collection, depth) : {},
      });
      const scored = rows.map(({ key, score }): Found => ({ id: pointIn(key), key, score }));
      const points = newest(scored).filter(({ score }) => vector.kind === 'dense' || score > LEAST_SCORE);
      return {
        points: checked === undefined ? points : await this.#satisfying(look.table, points, checked),
        least: scored.reduce((least, { score }) => Math.min(least, score), Infinity),
        isAll: rows.length < depth,
      };
    });
    return { table: look.table, found: found.slice(offset) };
  }

  /** The hits whose payloads satisfy what the filter could not express; reads this many at a time. */
  async #satisfying(table: string, found: Found[], condition: Condition): Promise<Found[]> {
    const kept: Found[] = [];
    for (const some of groups(found, PAYLOADS_AT_ONCE)) {
      const read = await this.#payloadsOf(table, some);
      for (const one of some) {
        const payload = read.get(one.key);
        if (payload !== undefined && satisfies(condition, payload)) kept.push(one);
      }
    }
    return kept;
  }

  /** Payloads of some hits, by key. */
  async #payloadsOf(table: string, some: readonly Found[]): Promise<Map<string, PointPayload>> {
    const keys = some.map(({ key }) => key);
    const wanted = { filter: oneOf(KEY, keys), columns: [KEY, PAYLOAD], isPrompt: true };
    const rows = await this.#connection.rows(table, wanted);
    return new Map(rows.map((row) => [row[KEY] as string, payloadIn(row)]));
  }

  /** These columns of the newest versions of those of these points that exist. */
  async #newestRows(
    collection: Collection,
    points: PointId[],
    columns: string[],
  ): Promise<Map<PointId, Row>> {
    const table = vectorTable(collection, collection.vector);
    const newestOf = new Map<PointId, Row>();
    for (const some of groups([...new Set(points)], PAYLOADS_AT_ONCE)) {
      const wanted = { filter: oneOf('point', some), columns: [KEY, ...columns], isPrompt: true };
      for (const row of await this.#connection.rows(table, wanted)) {
        const id = pointIn(row[KEY] as string);
        const other = newestOf.get(id);
        if (other === undefined || (other[KEY] as string) < (row[KEY] as string)) newestOf.set(id, row);
      }
    }
    return newestOf;
  }

  /** Undefined if there is nothing to search for. */
  async #lookFor(collection: Collection, vector: VectorSearch['vector']) {
    switch (vector.kind) {
      case 'dense':
        return {
          table: vectorTable(collection, vector.name ?? collection.vector),
          column: VECTOR,
          vector: Array.from(vector.values),
          metric: 'COSINE' as const,
        };
      case 'sparse': {
        const weighted = sparseRow(await this.#weighted(collection, vector.scheme, vector.values));
        if (Object.keys(weighted).length === 0) return undefined;
        return {
          table: vectorTable(collection, collection.vector),
          column: vector.scheme,
          vector: weighted,
          metric: 'IP' as const,
        };
      }
    }
  }

  /** Each term's weight times its idf; terms without points may be omitted. */
  async #weighted(collection: Collection, scheme: SparseScheme, vector: SparseVector): Promise<SparseVector> {
    if (!WITH_IDF.has(scheme) || vector.indices.length === 0) return vector;
    const factors = await this.#frequencies(collection, scheme, vector.indices);
    return {
      indices: vector.indices.filter((_, at) => factors[at] !== 0),
      values: vector.values.map((value, at) => value * (factors[at] ?? 0)).filter((value) => value !== 0),
    };
  }

  /** Each term's current inverse document frequency; 0 if no point has it. */
  async #frequencies(collection: Collection, scheme: SparseScheme, terms: Uint32Array): Promise<number[]> {
    const table = vectorTable(collection, collection.vector);
    const count = (filter: string) => this.#connection.count(table, filter, true);
    const [points, ...counts] = await Promise.all([
      count(`array_contains(${FACTS}, "${schemeFact(scheme)}")`),
      ...Array.from(terms, (term) => count(`array_contains(${termsColumn(scheme)}, ${term})`)),
    ]);
    return counts.map((having) => (having === 0 ? 0 : inverseFrequency(points, having)));
  }

  /** Removes hits that were deleted meanwhile. */
  async #withPayloads(table: string, found: Found[]): Promise<ScoredPoint[]> {
    const hits: ScoredPoint[] = [];
    for (const some of groups(found, PAYLOADS_AT_ONCE)) {
      const read = await this.#payloadsOf(table, some);
      for (const { id, key, score } of some) {
        const payload = read.get(key);
        if (payload !== undefined) hits.push({ id, score, payload });
      }
    }
    return hits;
  }
}

/** The newest version of each point; while a point is being replaced, there are two. */
function newest(found: Found[]): Found[] {
  const points = new Map<PointId, Found>();
  for (const one of found) {
    const other = points.get(one.id);
    if (other === undefined || other.key < one.key) points.set(one.id, one);
  }
  return [...points.values()];
}

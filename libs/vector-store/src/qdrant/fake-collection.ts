import { FakeConfig, type CollectionBody, type CollectionPatch, type VectorConfig } from './fake-config.ts';
import { passes, valuesAtPath, type FakeFilter, type FakePoint } from './fake-filter.ts';
import { nearest, shardOf, type QueryBody } from './fake-query.ts';
import {
  isMulti,
  isSparse,
  isTakenForSparse,
  kept,
  type FakeSparse,
  type FakeVector,
} from './fake-vectors.ts';

interface PointBody {
  id: string | number;
  vector: Record<string, FakeVector>;
  payload?: Record<string, unknown>;
}

interface ScrollBody {
  limit?: number;
  offset?: string | number;
  filter?: FakeFilter;
  with_payload?: boolean | string[];
  with_vector?: boolean | string[];
}

interface UpsertBody {
  points: PointBody[];
  update_filter?: FakeFilter;
  update_mode?: 'upsert' | 'insert_only' | 'update_only';
}

interface SetPayloadBody {
  payload: Record<string, unknown>;
  points?: (string | number)[];
  filter?: FakeFilter;
  key?: string;
}

interface FacetBody {
  key: string;
  exact?: boolean;
  limit?: number;
  filter?: FakeFilter;
}

interface UpdateVectorsBody {
  points: PointBody[];
  update_filter?: FakeFilter;
}

interface CountBody {
  exact?: boolean;
  filter?: FakeFilter;
}

/** One of a batch of operations, by its name. */
interface Operation {
  upsert?: UpsertBody;
  delete?: { filter: FakeFilter };
  set_payload?: SetPayloadBody;
  overwrite_payload?: SetPayloadBody;
}

/** What is wrong with a request, in Qdrant's words. */
export interface Refusal {
  status: 400 | 422;
  error: string;
}

/** One collection of FakeQdrant: what it holds, and what it answers to the requests that are about it. */
export class FakeCollection {
  readonly #config: FakeConfig;
  readonly #vacuums: boolean;
  /** Points that were replaced or deleted, where nothing is vacuumed. */
  readonly #gone: FakePoint[] = [];
  readonly #points = new Map<string | number, FakePoint>();
  /** By indexed key, what has ever stood there. */
  readonly #values = new Map<string, Set<unknown>>();
  readonly #indexes = new Map<string, string | { type: string }>();
  #operations = 0;

  /** @param vacuums whether what is gone is forgotten at once; in Qdrant it counts in the idf for a while */
  constructor(body: CollectionBody, vacuums: boolean) {
    this.#config = new FakeConfig(body);
    this.#vacuums = vacuums;
  }

  refusal(route: string, name: string, body: unknown): Refusal | undefined {
    const bad = (error: string | undefined): Refusal | undefined =>
      error === undefined ? undefined : { status: 400, error };
    switch (route) {
      case 'put /collections/{collection_name}/points':
      case 'put /collections/{collection_name}/points/vectors': {
        const { points } = body as { points: PointBody[] };
        return mistaken(points) ?? bad(first(points.map((point) => this.#wrongPoint(point))));
      }
      case 'put /collections/{collection_name}/vectors/{vector_name}': {
        const there = this.#config.vectors[name];
        if (there === undefined || !('dense' in (body as VectorConfig))) return undefined;
        const { size } = (body as { dense: { size: number } }).dense;
        return size === there.size ? undefined : bad(`Wrong input: Vector ${name} already exists`);
      }
      case 'post /collections/{collection_name}/points/count':
        return this.#inexact((body as CountBody).exact ?? true);
      case 'post /collections/{collection_name}/facet': {
        const { key, exact = false } = body as FacetBody;
        if (this.#indexes.has(key)) return this.#inexact(exact);
        return bad(
          `Bad request: Index required but not found for "${key}" of one of the following types: [keyword]. Help: Create an index for this key or use a different filter.`,
        );
      }
      case 'post /collections/{collection_name}/points/query':
        return bad(this.#wrongQuery(body as QueryBody));
      case 'post /collections/{collection_name}/points/query/batch':
        return bad(
          first((body as { searches: QueryBody[] }).searches.map((query) => this.#wrongQuery(query))),
        );
      default:
        return undefined;
    }
  }

  /** A point that is named and not there, which fails all of a request. */
  missing(route: string, body: unknown): string | undefined {
    const gone = this.#named(route, body).find((id) => !this.#points.has(id));
    return gone === undefined ? undefined : `Not found: No point with id ${gone} found`;
  }

  #named(route: string, body: unknown): (string | number)[] {
    switch (route) {
      case 'put /collections/{collection_name}/points/vectors':
        return (body as UpdateVectorsBody).points.map(({ id }) => id);
      case 'post /collections/{collection_name}/points/query/batch':
        return (body as { searches: QueryBody[] }).searches.flatMap(({ query }) =>
          typeof query === 'object' ? [] : query,
        );
      default:
        return [];
    }
  }

  /** @param name of the vector, in routes of one */
  answer(route: string, name: string, body: unknown): unknown {
    switch (route) {
      case 'get /collections/{collection_name}':
        return this.#info();
      case 'patch /collections/{collection_name}':
        this.#config.change(body as CollectionPatch);
        return true;
      case 'put /collections/{collection_name}/index': {
        const { field_name, field_schema } = body as {
          field_name: string;
          field_schema: string | { type: string };
        };
        this.#indexes.set(field_name, field_schema);
        for (const point of this.#all()) this.#noteValues(point);
        return this.#done();
      }
      case 'put /collections/{collection_name}/points':
        this.#upsert(body as UpsertBody);
        return this.#done();
      case 'put /collections/{collection_name}/vectors/{vector_name}': {
        this.#config.addVector(name, body as VectorConfig);
        return this.#done();
      }
      case 'delete /collections/{collection_name}/vectors/{vector_name}':
        this.#config.dropVector(name);
        for (const { vectors } of this.#all()) Reflect.deleteProperty(vectors, name);
        return this.#done();
      case 'put /collections/{collection_name}/points/vectors': {
        const { points, update_filter } = body as UpdateVectorsBody;
        for (const { id, vector } of points) {
          const point = this.#points.get(id);
          if (point === undefined || !passes(update_filter, point)) continue;
          Object.assign(point.vectors, this.#kept(vector));
          point.version = this.#operations;
        }
        return this.#done();
      }
      case 'post /collections/{collection_name}/points/delete':
        this.#delete((body as { filter: FakeFilter }).filter);
        return this.#done();
      case 'put /collections/{collection_name}/points/payload':
        this.#overwritePayload(body as SetPayloadBody);
        return this.#done();
      case 'post /collections/{collection_name}/points/batch':
        return (body as { operations: Operation[] }).operations.map((operation) => {
          if (operation.upsert !== undefined) this.#upsert(operation.upsert);
          if (operation.delete !== undefined) this.#delete(operation.delete.filter);
          if (operation.set_payload !== undefined) this.#setPayload(operation.set_payload);
          if (operation.overwrite_payload !== undefined) this.#overwritePayload(operation.overwrite_payload);
          return this.#done();
        });
      case 'post /collections/{collection_name}/points/payload':
        this.#setPayload(body as SetPayloadBody);
        return this.#done();
      case 'post /collections/{collection_name}/points/count':
        return { count: this.#select((body as CountBody).filter).length };
      case 'post /collections/{collection_name}/facet':
        return { hits: this.#facet(body as FacetBody) };
      case 'post /collections/{collection_name}/points': {
        const { ids, with_payload, with_vector } = body as ScrollBody & { ids: string[] };
        const found = ids.map((id) => this.#points.get(id)).filter((point) => point !== undefined);
        return found.map((point) => shown(point, with_payload, with_vector));
      }
      case 'post /collections/{collection_name}/points/scroll':
        return this.#scroll(body as ScrollBody);
      case 'post /collections/{collection_name}/points/query':
        return { points: this.#query(body as QueryBody) };
      case 'post /collections/{collection_name}/points/query/batch':
        return (body as { searches: QueryBody[] }).searches.map((query) => ({ points: this.#query(query) }));
      default:
        throw new Error(`FakeQdrant does not answer ${route}`);
    }
  }

  /** Values that were there once and are no more come, too, with a count of 0. */
  #facet({ key, limit = 10, filter }: FacetBody) {
    const counts = new Map<unknown, number>([...(this.#values.get(key) ?? [])].map((value) => [value, 0]));
    for (const point of this.#select(filter)) {
      for (const value of new Set(valuesAtPath(point.payload, key)))
        counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    return [...counts]
      .map(([value, count]) => ({ value, count }))
      .sort((a, b) => b.count - a.count || (String(a.value) < String(b.value) ? -1 : 1))
      .slice(0, limit);
  }

  #query(body: QueryBody) {
    const hits = nearest(body, {
      config: this.#config,
      selected: this.#select(body.filter),
      point: (id) => this.#points.get(id),
      counted: (name, shard) => this.#sparseOf(name, shard),
    });
    return hits.map(({ point, score }) => ({
      ...shown(point, body.with_payload, body.with_vector),
      version: point.version,
      score,
    }));
  }

  #sparseOf(name: string, shard: number): FakeSparse[] {
    return [...this.#all(), ...this.#gone].flatMap(({ id, vectors: { [name]: vector } }) =>
      vector !== undefined && isSparse(vector) && shardOf(id, this.#config.shards) === shard ? [vector] : [],
    );
  }

  #scroll({ limit = 10, offset, filter, with_payload = true, with_vector }: ScrollBody) {
    const points = this.#select(filter)
      .filter(({ id }) => offset === undefined || id >= offset)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    return {
      points: points.slice(0, limit).map((point) => shown(point, with_payload, with_vector)),
      next_page_offset: points[limit]?.id ?? null,
    };
  }

  #all(): FakePoint[] {
    return [...this.#points.values()];
  }

  #select(filter: FakeFilter | undefined): FakePoint[] {
    return this.#all().filter((point) => passes(filter, point, (key) => this.#isText(key)));
  }

  #isText(key: string): boolean {
    const index = this.#indexes.get(key);
    return typeof index === 'object' ? index.type === 'text' : index === 'text';
  }

  /** New points are inserted whatever the filter; those that are there change where it holds of them. */
  #upsert({ points, update_filter, update_mode = 'upsert' }: UpsertBody): void {
    for (const { id, vector, payload } of points) {
      const there = this.#points.get(id);
      if (there === undefined ? update_mode === 'update_only' : update_mode === 'insert_only') continue;
      if (there !== undefined && !passes(update_filter, there)) continue;
      const point = { id, vectors: this.#kept(vector), payload: payload ?? {}, version: this.#operations };
      if (there !== undefined) this.#forget(there);
      this.#points.set(id, point);
      this.#noteValues(point);
    }
  }

  #delete(filter: FakeFilter): void {
    for (const point of this.#select(filter)) {
      this.#forget(point);
      this.#points.delete(point.id);
    }
  }

  #forget(point: FakePoint): void {
    if (!this.#vacuums) this.#gone.push(point);
  }

  #setPayload(body: SetPayloadBody): void {
    const { payload, key } = body;
    for (const point of this.#chosen(body)) {
      if (key === undefined) Object.assign(point.payload, payload);
      else point.payload[key] = { ...(point.payload[key] as object | undefined), ...payload };
    }
  }

  #overwritePayload(body: SetPayloadBody): void {
    for (const point of this.#chosen(body)) {
      point.payload = body.payload;
      this.#noteValues(point);
    }
  }

  /** Where both ids and a filter are given, the ids count. */
  #chosen({ points, filter }: SetPayloadBody): FakePoint[] {
    return points?.flatMap((id) => this.#points.get(id) ?? []) ?? this.#select(filter);
  }

  #kept(vectors: Record<string, FakeVector>): Record<string, FakeVector> {
    const { vectors: params } = this.#config;
    return Object.fromEntries(
      Object.entries(vectors).map(([name, vector]) => [name, kept(vector, params[name]?.datatype)]),
    );
  }

  #noteValues({ payload }: FakePoint): void {
    for (const key of this.#indexes.keys()) {
      const values = this.#values.get(key) ?? new Set();
      for (const value of valuesAtPath(payload, key)) values.add(value);
      this.#values.set(key, values);
    }
  }

  #wrongPoint({ id, vector }: PointBody): string | undefined {
    if (typeof id === 'string' && !/^[0-9a-f-]{36}$/.test(id)) {
      return `Format error in JSON body: value ${id} is not a valid point ID, valid values are either an unsigned integer or a UUID`;
    }
    return first(
      Object.entries(vector).map(([name, value]) =>
        this.#config.wrongVector(name, value, ` for vector '${name}'`),
      ),
    );
  }

  #wrongQuery({ query, using }: QueryBody): string | undefined {
    const wrong = typeof query === 'object' ? this.#config.wrongVector(using, query, '') : undefined;
    return wrong ?? this.#config.wrongSearch(using);
  }

  #inexact(exact: boolean): Refusal | undefined {
    if (!exact || this.#config.allowsExact) return undefined;
    return { status: 400, error: 'Bad request: Exact search disabled!. Help: Set exact=false.' };
  }

  #done() {
    return { operation_id: this.#operations++, status: 'completed' };
  }

  #info() {
    const points = this.#all();
    const indexes = [...this.#indexes].map(([field, schema]) => [
      field,
      {
        data_type: typeof schema === 'string' ? schema : schema.type,
        ...(typeof schema === 'string' ? {} : { params: schema }),
        points: points.filter((point) => valuesAtPath(point.payload, field).length > 0).length,
      },
    ]);
    return {
      status: 'green',
      optimizer_status: 'ok',
      indexed_vectors_count: 0,
      points_count: points.length,
      segments_count: 2 * this.#config.shards,
      config: this.#config.shown(),
      payload_schema: Object.fromEntries(indexes) as Record<string, unknown>,
      update_queue: { length: 0 },
    };
  }
}

/** Of a vector of several that Qdrant takes for a sparse one. */
function mistaken(points: PointBody[]): Refusal | undefined {
  for (const [at, { vector }] of points.entries()) {
    const wrong = Object.values(vector).find(isTakenForSparse);
    const [indices = []] = wrong !== undefined && isMulti(wrong) ? wrong : [];
    if (new Set(indices).size === indices.length) continue;
    const error = `Validation error in JSON body: [points[${at}].vector.?.indices: Validation error: must be unique [{}]]`;
    return { status: 422, error };
  }
  return undefined;
}

const first = (errors: (string | undefined)[]): string | undefined =>
  errors.find((error) => error !== undefined);

function selected(payload: Record<string, unknown>, wanted: boolean | string[] | undefined) {
  if (wanted === undefined || wanted === false) return {};
  if (wanted === true) return { payload };
  return { payload: Object.fromEntries(Object.entries(payload).filter(([key]) => wanted.includes(key))) };
}

function shown(
  { id, payload, vectors }: FakePoint,
  withPayload?: boolean | string[],
  withVector?: boolean | string[],
) {
  const named = withVector === true ? Object.keys(vectors) : withVector || [];
  const vector = Object.fromEntries(Object.entries(vectors).filter(([name]) => named.includes(name)));
  return { id, ...selected(payload, withPayload), ...(withVector ? { vector } : {}) };
}

import { FakeConfig, type CollectionBody, type CollectionPatch, type VectorConfig } from './fake-config.ts';
import { valuesAtPath, type FakeFilter, type FakePoint } from './fake-filter.ts';
import {
  FakePoints,
  isIn,
  type FacetBody,
  type PointBody,
  type ScrollBody,
  type SetPayloadBody,
  type UpdateVectorsBody,
  type UpsertBody,
} from './fake-points.ts';
import { nearest, type QueryBody } from './fake-query.ts';
import { FakeShards, type ShardSelector } from './fake-shards.ts';
import { isMulti, isTakenForSparse } from './fake-vectors.ts';

interface CountBody {
  exact?: boolean;
  filter?: FakeFilter;
  shard_key?: ShardSelector;
}

interface DeleteBody {
  filter: FakeFilter;
  shard_key?: ShardSelector;
}

/** One operation of a batch, by name. */
interface Operation {
  upsert?: UpsertBody;
  delete?: DeleteBody;
  set_payload?: SetPayloadBody;
  overwrite_payload?: SetPayloadBody;
}

/** A request's fault, in Qdrant's words. */
export interface Refusal {
  status: 400 | 404 | 422;
  error: string;
}

/** One collection of FakeQdrant: its data, and its responses to requests. */
export class FakeCollection {
  readonly #config: FakeConfig;
  readonly #points: FakePoints;
  readonly #shards: FakeShards;
  #operations = 0;

  /** @param vacuums whether removed points are forgotten at once */
  constructor(body: CollectionBody, vacuums: boolean) {
    this.#config = new FakeConfig(body);
    this.#points = new FakePoints(this.#config, vacuums);
    this.#shards = new FakeShards(this.#config);
  }

  refusal(route: string, name: string, body: unknown): Refusal | undefined {
    const bad = (error: string | undefined): Refusal | undefined =>
      error === undefined ? undefined : { status: 400, error };
    const misplaced = this.#misplaced(route, body);
    if (misplaced !== undefined) return misplaced;
    switch (route) {
      case 'put /collections/{collection_name}/shards':
        return bad(this.#shards.wrongKey((body as { shard_key: string }).shard_key));
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
        if (this.#points.indexes.has(key)) return this.#inexact(exact);
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

  /** The fault in a request's shards. */
  #misplaced(route: string, body: unknown): Refusal | undefined {
    const parts = partsOf(route, body);
    const kind = WRITES.has(route) ? 'write' : 'read';
    return parts
      .map(({ shard_key: selector }) => this.#shards.refusal(selector, kind))
      .find((refusal) => refusal !== undefined);
  }

  #keys(body: unknown): (string | number)[] | undefined {
    return this.#shards.chosen((body as { shard_key?: ShardSelector }).shard_key);
  }

  /** A named point that does not exist, which makes the whole request fail. */
  missing(route: string, body: unknown): string | undefined {
    const gone = this.#named(route, body).find((id) => this.#points.get(id) === undefined);
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

  /** @param name of the vector, in routes for a single one */
  answer(route: string, name: string, body: unknown): unknown {
    switch (route) {
      case 'get /collections/{collection_name}':
        return this.#info();
      case 'patch /collections/{collection_name}':
        this.#config.change(body as CollectionPatch);
        return true;
      case 'get /collections/{collection_name}/shards':
        return { shard_keys: this.#shards.list().map((key) => ({ key })) };
      case 'put /collections/{collection_name}/shards':
        this.#shards.create((body as { shard_key: string | number }).shard_key);
        return true;
      case 'put /collections/{collection_name}/index': {
        const { field_name, field_schema } = body as {
          field_name: string;
          field_schema: string | { type: string };
        };
        this.#points.index(field_name, field_schema);
        return this.#done();
      }
      case 'put /collections/{collection_name}/points':
        this.#points.upsert(body as UpsertBody, this.#operations, this.#keys(body));
        return this.#done();
      case 'put /collections/{collection_name}/vectors/{vector_name}': {
        this.#config.addVector(name, body as VectorConfig);
        return this.#done();
      }
      case 'delete /collections/{collection_name}/vectors/{vector_name}':
        this.#config.dropVector(name);
        for (const { vectors } of this.#points.all()) Reflect.deleteProperty(vectors, name);
        return this.#done();
      case 'put /collections/{collection_name}/points/vectors': {
        this.#points.updateVectors(body as UpdateVectorsBody, this.#operations);
        return this.#done();
      }
      case 'post /collections/{collection_name}/points/delete':
        this.#points.delete((body as DeleteBody).filter, this.#keys(body));
        return this.#done();
      case 'put /collections/{collection_name}/points/payload':
        this.#points.overwritePayload(body as SetPayloadBody, this.#keys(body));
        return this.#done();
      case 'post /collections/{collection_name}/points/batch':
        return (body as { operations: Operation[] }).operations.map((operation) => {
          if (operation.upsert !== undefined)
            this.#points.upsert(operation.upsert, this.#operations, this.#keys(operation.upsert));
          if (operation.delete !== undefined)
            this.#points.delete(operation.delete.filter, this.#keys(operation.delete));
          if (operation.set_payload !== undefined)
            this.#points.setPayload(operation.set_payload, this.#keys(operation.set_payload));
          if (operation.overwrite_payload !== undefined)
            this.#points.overwritePayload(
              operation.overwrite_payload,
              this.#keys(operation.overwrite_payload),
            );
          return this.#done();
        });
      case 'post /collections/{collection_name}/points/payload':
        this.#points.setPayload(body as SetPayloadBody, this.#keys(body));
        return this.#done();
      case 'post /collections/{collection_name}/points/count':
        return { count: this.#points.select((body as CountBody).filter, this.#keys(body)).length };
      case 'post /collections/{collection_name}/facet':
        return { hits: this.#points.facet(body as FacetBody, this.#keys(body)) };
      case 'post /collections/{collection_name}/points': {
        const { ids, with_payload, with_vector } = body as ScrollBody & { ids: string[] };
        const found = ids.map((id) => this.#points.get(id)).filter((point) => point !== undefined);
        const here = found.filter(({ shardKey }) => isIn(shardKey, this.#keys(body)));
        return here.map((point) => shown(point, with_payload, with_vector));
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

  #query(body: QueryBody) {
    const hits = nearest(body, {
      config: this.#config,
      selected: this.#points.select(body.filter, this.#keys(body)),
      point: (id) => this.#points.get(id),
      counted: (name, shard) => this.#points.sparseOf(name, shard),
    });
    return hits.map(({ point, score }) => ({
      ...shown(point, body.with_payload, body.with_vector),
      version: point.version,
      score,
    }));
  }

  #scroll(body: ScrollBody) {
    const { points, next } = this.#points.scroll(body, this.#keys(body));
    const { with_payload = true, with_vector } = body;
    return { points: points.map((point) => shown(point, with_payload, with_vector)), next_page_offset: next };
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
    const points = this.#points.all();
    const indexes = [...this.#points.indexes].map(([field, schema]) => [
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

/** Routes that write points. */
const WRITES = new Set([
  'put /collections/{collection_name}/points',
  'put /collections/{collection_name}/points/vectors',
  'post /collections/{collection_name}/points/delete',
  'put /collections/{collection_name}/points/payload',
  'post /collections/{collection_name}/points/payload',
  'post /collections/{collection_name}/points/batch',
]);

interface Part {
  shard_key?: ShardSelector;
}

/** The part of a request that names its own shards. */
function partsOf(route: string, body: unknown): Part[] {
  switch (route) {
    case 'post /collections/{collection_name}/points/batch':
      return (body as { operations: Operation[] }).operations.flatMap((operation) =>
        Object.values(operation as Record<string, Part>),
      );
    case 'post /collections/{collection_name}/points/query/batch':
      return (body as { searches: Part[] }).searches;
    default:
      return WRITES.has(route) ||
        route.startsWith('post /collections/{collection_name}/points') ||
        route.endsWith('/facet')
        ? [body as Part]
        : [];
  }
}

/** The error for a multivector that Qdrant mistakes for a sparse vector. */
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
  { id, payload, vectors, shardKey }: FakePoint,
  withPayload?: boolean | string[],
  withVector?: boolean | string[],
) {
  const named = withVector === true ? Object.keys(vectors) : withVector || [];
  const vector = Object.fromEntries(Object.entries(vectors).filter(([name]) => named.includes(name)));
  return {
    id,
    ...selected(payload, withPayload),
    ...(withVector ? { vector } : {}),
    ...(shardKey === undefined ? {} : { shard_key: shardKey }),
  };
}

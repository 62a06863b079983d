import {
  EmbedmillError,
  type Collection,
  type CollectionName,
  type PointId,
  type SparseScheme,
  type TenantId,
  type TokenVectors,
} from '@embedmill/jobs';
import { sparseSchemes } from '../collections.ts';
import { conditionOf, satisfies } from '../condition.ts';
import { groups } from '../groups.ts';
import type {
  NearSearch,
  PointPayload,
  PointSelection,
  PointVectors,
  RankedPoint,
  ScoredPoint,
  VectorSearch,
} from '../store.ts';
import { checkScheme, checkSearchVector, checkTokens } from '../vector-check.ts';
import type { QdrantConnection } from './qdrant-connection.ts';
import type { Place, QdrantShards } from './qdrant-shards.ts';
import { isExact, searchFilter } from './qdrant-filter.ts';
import { payloadOf, vectorsIn } from './qdrant-points.ts';
import {
  askTermFactors,
  nearQuery,
  queryOf,
  rankInOrder,
  tokenQueries,
  searchInOrder,
  type AskedQuery,
  type RankedList,
} from './qdrant-query.ts';

/** The number of payloads, or vectors, per request: some megabytes, even for points with long texts. */
const PAYLOADS_AT_ONCE = 128;
const VECTORS_AT_ONCE = 256;
/** The number of query tokens per request: some thousand numbers, and with each token the ids of all hits. */
const TOKENS_AT_ONCE = 32;

/** Searches of collections in Qdrant. Somebody is waiting for each, so all requests are `prompt`. */
export class QdrantSearch {
  readonly #connection: QdrantConnection;
  readonly #shards: QdrantShards;

  constructor(connection: QdrantConnection, shards: QdrantShards) {
    this.#connection = connection;
    this.#shards = shards;
  }

  async find(name: CollectionName, search: VectorSearch): Promise<ScoredPoint[]> {
    const collection = await this.#connection.collection(name, 'prompt');
    const place = this.#shards.of(name, search.tenant);
    const list = listOf(collection, search, place);
    if (list === undefined) return [];
    return searchInOrder(search, {
      nearest: async (limit, withPayload) => {
        const asked = { ...list.query, limit, with_payload: withPayload };
        const answer = await this.#connection.checked(
          collection,
          (now) => checkSearchVector(now, search.vector),
          (client) => client.query(name, asked),
          'prompt',
        );
        return answer.points;
      },
      satisfies: list.satisfies,
      payloads: (ids) => this.payloads(name, ids, true, place),
    });
  }

  async rank(name: CollectionName, searches: VectorSearch[]): Promise<RankedPoint[][]> {
    const collection = await this.#connection.collection(name, 'prompt');
    const lists = searches.map((search) => listOf(collection, search, this.#shards.of(name, search.tenant)));
    const check = (now: Collection): void => {
      for (const { vector } of searches) checkSearchVector(now, vector);
    };
    const ranked = await rankInOrder(
      lists.filter((list) => list !== undefined),
      {
        ask: (asked) =>
          this.#connection.checked(
            collection,
            check,
            (client) => client.queryBatch(name, { searches: asked }),
            'prompt',
          ),
        payloads: (ids) => this.payloads(name, ids),
      },
    );
    const found = ranked.values();
    return lists.map((list) => (list === undefined ? [] : (found.next().value ?? [])));
  }

  async findNear(
    name: CollectionName,
    points: PointId[],
    { threshold, limit, filter, tenant }: NearSearch,
  ): Promise<RankedPoint[][]> {
    const collection = await this.#connection.collection(name, 'prompt');
    const listNear = (id: PointId): RankedList => ({
      ...selectedBy(
        collection,
        { filter, tenant },
        { ...nearQuery(collection, id), ...this.#shards.of(name, tenant), score_threshold: threshold },
      ),
      limit,
      offset: 0,
    });
    const ask = (searches: AskedQuery[]) =>
      this.#connection.send(name, (client) => client.queryBatch(name, { searches }), 'prompt');
    const requests = { ask, payloads: (ids: PointId[]) => this.payloads(name, ids) };
    const near = async (ids: PointId[]) => rankInOrder(ids.map(listNear), requests);
    try {
      return await near(points);
    } catch (thrown) {
      const isGone = thrown instanceof EmbedmillError && thrown.code === 'collection_not_found';
      if (!isGone || (await this.#connection.reread(name, 'prompt')) === undefined) throw thrown;
      // Qdrant refuses the whole batch if one of its points does not exist.
      const there = await this.payloads(name, points, []);
      const found = (await near(points.filter((id) => there.has(id)))).values();
      return points.map((id) => (there.has(id) ? (found.next().value ?? []) : []));
    }
  }

  async termFactors(name: CollectionName, scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array> {
    checkScheme(await this.#connection.collection(name, 'prompt'), scheme);
    return askTermFactors(scheme, terms, async (searches) => {
      const answers = await this.#connection.send(
        name,
        (client) => client.queryBatch(name, { searches }),
        'prompt',
      );
      return answers.map(({ points: [best] }) => best);
    });
  }

  /**
   * Qdrant's MaxSim returns only the sum over the query's tokens. So each token is a separate query, restricted to
   * these points, for their individual scores.
   */
  async maxSimilarities(
    name: CollectionName,
    ids: PointId[],
    query: TokenVectors,
    tenant: TenantId | undefined,
  ): Promise<Map<PointId, Float32Array>> {
    const collection = await this.#connection.collection(name, 'prompt');
    checkTokens(collection, query, 'the query');
    const count = query.length / collection.dims;
    const similarities = new Map<PointId, Float32Array>();
    if (ids.length === 0) return similarities;
    const searches = tokenQueries(query, collection, ids, { tenant, place: this.#shards.of(name, tenant) });
    for (const some of groups([...searches.entries()], TOKENS_AT_ONCE)) {
      const asked = some.map(([, search]) => search);
      const answers = await this.#connection.send(
        name,
        (client) => client.queryBatch(name, { searches: asked }),
        'prompt',
      );
      for (const [n, [token]] of some.entries()) {
        for (const { id, score } of answers[n]?.points ?? []) {
          const own = similarities.get(String(id) as PointId) ?? new Float32Array(count);
          similarities.set(String(id) as PointId, own);
          own[token] = score;
        }
      }
    }
    return similarities;
  }

  /** The vectors of those of these points that exist, and that belong to the tenant, if one is given. */
  async vectors(
    name: CollectionName,
    ids: PointId[],
    tenant: TenantId | undefined,
  ): Promise<Map<PointId, PointVectors>> {
    const collection = await this.#connection.collection(name, 'prompt');
    return this.#vectorsOf(collection, ids, tenant, [collection.vector, ...sparseSchemes(collection)]);
  }

  /** Their dense vectors that searches use. */
  async dense(
    name: CollectionName,
    ids: PointId[],
    tenant: TenantId | undefined,
  ): Promise<Map<PointId, Float32Array>> {
    const collection = await this.#connection.collection(name, 'prompt');
    const vectors = await this.#vectorsOf(collection, ids, tenant, [collection.vector]);
    return new Map([...vectors].map(([id, { dense }]) => [id, dense]));
  }

  async #vectorsOf(
    collection: Collection,
    ids: PointId[],
    tenant: TenantId | undefined,
    names: string[],
  ): Promise<Map<PointId, PointVectors>> {
    const { name } = collection;
    const vectors = new Map<PointId, PointVectors>();
    for (const some of groups(ids, VECTORS_AT_ONCE)) {
      const asked = {
        ids: some,
        with_payload: tenant === undefined ? (false as const) : ['tenant'],
        with_vector: names,
        ...this.#shards.of(name as CollectionName, tenant),
      };
      const found = await this.#connection.send(name, (client) => client.retrieve(name, asked), 'prompt');
      for (const record of found) {
        if (tenant !== undefined && record.payload?.['tenant'] !== tenant) continue;
        const { dense, sparse } = vectorsIn(collection, record);
        vectors.set(String(record.id) as PointId, { dense, sparse });
      }
    }
    return vectors;
  }

  /**
   * @param fields the payload fields to read; all by default
   * @param place the points' shards, if known
   */
  async payloads(
    name: CollectionName,
    ids: PointId[],
    fields: true | string[] = true,
    place: Place = {},
  ): Promise<Map<PointId, PointPayload>> {
    const payloads = new Map<PointId, PointPayload>();
    for (const some of groups(ids, PAYLOADS_AT_ONCE)) {
      const asked = { ids: some, with_payload: fields, with_vector: false, ...place };
      const found = await this.#connection.send(name, (client) => client.retrieve(name, asked), 'prompt');
      for (const { id, payload } of found) payloads.set(String(id) as PointId, payloadOf(payload));
    }
    return payloads;
  }
}

/** A search as a Qdrant query; undefined if there is nothing to search for. */
function listOf(collection: Collection, search: VectorSearch, place: Place): RankedList | undefined {
  const { vector, limit, offset } = search;
  checkSearchVector(collection, vector);
  const list = selectedBy(collection, search, { ...queryOf(collection, vector), ...place });
  if (vector.kind === 'sparse' && vector.values.indices.length === 0) return undefined;
  return { ...list, limit, offset };
}

/** A query of the selected points only. */
function selectedBy<Q extends object>(
  { profile }: Collection,
  { filter, tenant }: PointSelection,
  query: Q,
): Pick<RankedList, 'satisfies'> & { query: Q } {
  const condition = filter && conditionOf(filter, profile.filterable);
  const wanted = searchFilter(tenant, condition);
  const checked = condition === undefined || isExact(condition) ? undefined : condition;
  return {
    query: wanted === undefined ? query : { ...query, filter: wanted },
    satisfies: checked && ((payload) => satisfies(checked, payload)),
  };
}

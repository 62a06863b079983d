import type { Collection, CollectionName, PointId, SparseScheme } from '@embedmill/jobs';
import { conditionOf, satisfies } from '../condition.ts';
import { groups } from '../groups.ts';
import type { PointPayload, ScoredPoint, VectorSearch } from '../store.ts';
import { checkScheme, checkSearchVector } from '../vector-check.ts';
import type { QdrantConnection } from './qdrant-connection.ts';
import { isExact, searchFilter } from './qdrant-filter.ts';
import { payloadOf } from './qdrant-points.ts';
import { askTermFactors, queryOf, searchInOrder } from './qdrant-query.ts';

/** Payloads a request. */
const PAYLOADS_AT_ONCE = 1000;

/** Searches of collections in Qdrant. Somebody waits for each: all is asked at a prompt pace. */
export class QdrantSearch {
  readonly #connection: QdrantConnection;

  constructor(connection: QdrantConnection) {
    this.#connection = connection;
  }

  async find(
    name: CollectionName,
    { vector, limit, offset, filter, tenant }: VectorSearch,
  ): Promise<ScoredPoint[]> {
    const collection = await this.#connection.collection(name, 'prompt');
    checkSearchVector(collection, vector);
    const condition = filter && conditionOf(filter, collection.profile.filterable);
    const wanted = searchFilter(tenant, condition);
    if (vector.kind === 'sparse' && vector.values.indices.length === 0) return [];
    const query = {
      ...queryOf(collection, vector),
      ...(wanted === undefined ? {} : { filter: wanted }),
    };
    const check = (now: Collection) => checkSearchVector(now, vector);
    const checked = condition === undefined || isExact(condition) ? undefined : condition;
    return searchInOrder(
      { limit, offset },
      {
        nearest: async (most, withPayload) => {
          const asked = { ...query, limit: most, with_payload: withPayload || checked !== undefined };
          const answer = await this.#connection.checked(
            collection,
            check,
            (client) => client.query(name, asked),
            'prompt',
          );
          return answer.points;
        },
        satisfies: checked && ((payload) => satisfies(checked, payload)),
        payloads: (ids) => this.#payloads(name, ids),
      },
    );
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

  async #payloads(name: CollectionName, ids: PointId[]): Promise<Map<PointId, PointPayload>> {
    const payloads = new Map<PointId, PointPayload>();
    for (const some of groups(ids, PAYLOADS_AT_ONCE)) {
      const asked = { ids: some, with_payload: true, with_vector: false };
      const found = await this.#connection.send(name, (client) => client.retrieve(name, asked), 'prompt');
      for (const { id, payload } of found) payloads.set(String(id) as PointId, payloadOf(payload));
    }
    return payloads;
  }
}

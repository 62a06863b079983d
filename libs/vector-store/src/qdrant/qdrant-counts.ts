import { EmbedmillError, type CollectionName, type TenantId } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import type { CountedField, DocumentCount } from '../store.ts';
import { NOT_OF_SEARCHES } from './qdrant-collection.ts';
import type { QdrantConnection } from './qdrant-connection.ts';
import type { Place } from './qdrant-shards.ts';
import { headFilter, shown, type QdrantFilter } from './qdrant-filter.ts';

/** The maximum number of distinct values that are counted. */
const MOST_VALUES = 100_000;

/** The requests for counting in one collection. */
export interface CountRequests {
  facet(request: Schemas['FacetRequest']): Promise<Schemas['FacetResponse']>;
  count(request: Schemas['CountRequest']): Promise<Schemas['CountResult']>;
  /** Creates an index of a payload field. */
  index(field: CountedField): Promise<unknown>;
}

/** @param place the shards to count in */
export function countRequests(
  connection: QdrantConnection,
  name: CollectionName,
  place: Place,
): CountRequests {
  return {
    facet: (request) => connection.send(name, (client) => client.facet(name, { ...request, ...place })),
    count: (request) => connection.send(name, (client) => client.count(name, { ...request, ...place })),
    index: (field) => {
      const schema = { type: 'keyword' as const, ...NOT_OF_SEARCHES };
      const index = { field_name: field, field_schema: schema, wait: true };
      return connection.send(name, (client) => client.createPayloadIndex(name, index));
    },
  };
}

/** The number of points that match a filter; exact if the collection allows that. */
export async function countPoints(
  filter: QdrantFilter,
  { count }: Pick<CountRequests, 'count'>,
): Promise<number> {
  return (await asExactAsMayBe((exact) => count({ exact, filter }))).count;
}

/** An operator may forbid exact counts (strict mode); an estimate is better than no answer. */
async function asExactAsMayBe<T>(ask: (exact: boolean) => Promise<T>): Promise<T> {
  try {
    return await ask(true);
  } catch (thrown) {
    if (thrown instanceof EmbedmillError && thrown.code === 'store_rejected') return ask(false);
    throw thrown;
  }
}

/** Document counts by the value of a field in their heads' payloads; null: those without a value. */
export async function countByField(
  key: CountedField,
  tenant: TenantId | undefined,
  requests: CountRequests,
): Promise<DocumentCount[]> {
  const filter = shown(headFilter(tenant));
  const { hits } = await withIndex(key, requests, () =>
    asExactAsMayBe((exact) => requests.facet({ key, exact, limit: MOST_VALUES, filter })),
  );
  const counts = hits
    .map(({ value, count }): DocumentCount => ({ value: String(value), documents: count }))
    // Values without any points left have a count of 0.
    .filter(({ documents }) => documents > 0);
  const whole = await countPoints(filter, requests);
  const without = whole - counts.reduce((sum, { documents }) => sum + documents, 0);
  return without > 0 ? [...counts, { value: null, documents: without }] : counts;
}

/** Collections of earlier versions get a field's index when it is first needed. */
async function withIndex<T>(
  field: CountedField,
  requests: CountRequests,
  send: () => Promise<T>,
): Promise<T> {
  try {
    return await send();
  } catch (thrown) {
    if (!(thrown instanceof EmbedmillError) || thrown.code !== 'store_rejected') throw thrown;
    await requests.index(field);
    return send();
  }
}

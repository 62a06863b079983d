import { EmbedmillError, type CollectionName, type DenseName } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { groups } from '../groups.ts';
import type { VectorAddition } from '../store.ts';
import type { QdrantConnection } from './qdrant-connection.ts';
import { additionBatches } from './qdrant-points.ts';
import type { Place, QdrantShards } from './qdrant-shards.ts';
import { shown, withoutVector, writtenUnder, type QdrantFilter } from './qdrant-filter.ts';

const MOST_TRIES = 3;

interface VectorUpdate extends Place {
  wait: true;
  points: Schemas['PointVectors'][];
  update_filter: QdrantFilter;
}

/** The requests that add vectors to one collection. */
interface AdditionRequests {
  /** Those of the ids that exist. */
  idsThere(ids: Schemas['ExtendedPointId'][]): Promise<Set<Schemas['ExtendedPointId']>>;
  add(update: VectorUpdate): Promise<unknown>;
  /** Whether the collection exists. */
  isThere(): Promise<boolean>;
}

/** Adds second vectors, with the hashes of their inputs, to existing points that have none. */
export async function addVectors(
  connection: QdrantConnection,
  shards: QdrantShards,
  name: CollectionName,
  vector: DenseName,
  vectors: VectorAddition[],
): Promise<void> {
  const requests: AdditionRequests = {
    idsThere: async (ids) => {
      const wanted = { ids, with_payload: false, with_vector: false };
      const found = await connection.send(name, (client) => client.retrieve(name, wanted));
      return new Set(found.map(({ id }) => id));
    },
    // Not the client's updateVectors, which drops the filter.
    add: (update) =>
      connection.send(name, (client) => client.api().updateVectors({ collection_name: name, ...update })),
    isThere: async () => (await connection.info(name)) !== undefined,
  };
  for (const { place, some: here } of await shards.whereThere(name, vectors)) {
    for (const [sequence, some] of Map.groupBy(here, (addition) => addition.sequence)) {
      for (const points of additionBatches(vector, some))
        await connection.writes(() => addToPoints(vector, points, sequence, place, requests));
      for (const operations of hashBatches(vector, some, place)) {
        await connection.writes(() =>
          connection.send(name, (client) => client.batchUpdate(name, { operations, wait: true })),
        );
      }
    }
  }
}

/** Adds vectors with this name to existing points with this sequence that have none. */
async function addToPoints(
  vector: DenseName,
  points: Schemas['PointVectors'][],
  sequence: number | undefined,
  place: Place,
  requests: AdditionRequests,
): Promise<void> {
  const lacking = shown(withoutVector(vector));
  const filter = sequence === undefined ? lacking : { must: [lacking, writtenUnder(sequence)] };
  for (let tries = 1; ; tries += 1) {
    // Qdrant refuses the whole request if one point does not exist.
    const there = await requests.idsThere(points.map((point) => point.id));
    const having = points.filter((point) => there.has(point.id));
    if (having.length === 0) return;
    try {
      await requests.add({ wait: true, points: having, update_filter: filter, ...place });
      return;
    } catch (thrown) {
      // A point was deleted since the look-up, or the whole collection.
      const gone = thrown instanceof EmbedmillError && thrown.code === 'collection_not_found';
      if (!gone || tries === MOST_TRIES || !(await requests.isThere())) throw thrown;
    }
  }
}

/** The number of hashes per request. */
const HASHES_AT_ONCE = 256;

/**
 * Writes the hashes of the vectors' inputs, for points still written by the same submission: such a point has this very
 * vector, whoever added it.
 */
function* hashBatches(
  vector: DenseName,
  additions: readonly VectorAddition[],
  place: Place,
): Generator<Schemas['SetPayloadOperation'][]> {
  const hashed = additions.flatMap(({ id, sequence, hash }) =>
    hash === undefined || sequence === undefined
      ? []
      : {
          set_payload: {
            payload: { [vector]: hash },
            key: 'hashes',
            filter: { must: [{ has_id: [id] }, writtenUnder(sequence)] },
            ...place,
          },
        },
  );
  yield* groups(hashed, HASHES_AT_ONCE);
}

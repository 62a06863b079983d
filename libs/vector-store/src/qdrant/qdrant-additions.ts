import { EmbedmillError, type DenseName } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { groups } from '../groups.ts';
import type { VectorAddition } from '../store.ts';
import { shown, withoutVector, writtenUnder, type QdrantFilter } from './qdrant-filter.ts';

const MOST_TRIES = 3;

export interface VectorUpdate {
  wait: true;
  points: Schemas['PointVectors'][];
  update_filter: QdrantFilter;
}

/** What adding vectors asks of one collection. */
export interface AdditionRequests {
  /** Those of the ids that are there. */
  idsThere(ids: Schemas['ExtendedPointId'][]): Promise<Set<Schemas['ExtendedPointId']>>;
  add(update: VectorUpdate): Promise<unknown>;
  /** Whether the collection is. */
  isThere(): Promise<boolean>;
}

/** Adds vectors of this name to those points that are there, of this sequence, and have none. */
export async function addToPoints(
  vector: DenseName,
  points: Schemas['PointVectors'][],
  sequence: number | undefined,
  requests: AdditionRequests,
): Promise<void> {
  const lacking = shown(withoutVector(vector));
  const filter = sequence === undefined ? lacking : { must: [lacking, writtenUnder(sequence)] };
  for (let tries = 1; ; tries += 1) {
    // Qdrant refuses all of them when one is not there.
    const there = await requests.idsThere(points.map((point) => point.id));
    const having = points.filter((point) => there.has(point.id));
    if (having.length === 0) return;
    try {
      await requests.add({ wait: true, points: having, update_filter: filter });
      return;
    } catch (thrown) {
      // One was deleted since we looked; or all of the collection.
      const gone = thrown instanceof EmbedmillError && thrown.code === 'collection_not_found';
      if (!gone || tries === MOST_TRIES || !(await requests.isThere())) throw thrown;
    }
  }
}

/** Hashes a request. */
const HASHES_AT_ONCE = 256;

/**
 * What the vectors were computed from, for points that are still of the submission that they were made of: such a point has
 * this very vector, whoever added it.
 */
export function* hashBatches(
  vector: DenseName,
  additions: readonly VectorAddition[],
): Generator<Schemas['SetPayloadOperation'][]> {
  const hashed = additions.flatMap(({ id, sequence, hash }) =>
    hash === undefined || sequence === undefined
      ? []
      : {
          set_payload: {
            payload: { [vector]: hash },
            key: 'hashes',
            filter: { must: [{ has_id: [id] }, writtenUnder(sequence)] },
          },
        },
  );
  yield* groups(hashed, HASHES_AT_ONCE);
}

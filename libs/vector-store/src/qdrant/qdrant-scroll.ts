import { denseVectors, type Collection, type PointId } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { sparseSchemes } from '../collections.ts';
import type { StoredPoint } from '../store.ts';
import type { QdrantFilter } from './qdrant-filter.ts';
import { TOKENS } from './qdrant-collection.ts';
import { storedPoint } from './qdrant-points.ts';

/** The number of points with vectors per response: a few megabytes. */
export const POINTS_AT_ONCE = 256;
/** The same for points with token vectors. */
const POINTS_WITH_TOKENS_AT_ONCE = 16;

export interface ScrollPage {
  limit: number;
  with_payload: true | string[];
  with_vector: false | string[];
  offset?: Schemas['ExtendedPointId'];
  filter?: QdrantFilter;
}

/**
 * The points that match a filter, with their vectors, in order of their ids, in batches.
 *
 * @param after the point before the first, which need not exist any more
 * @param limit the total number wanted, so that no much longer page is requested
 * @param withTokens whether to read token vectors, too
 */
export async function* pointPages(
  collection: Collection,
  scroll: (page: ScrollPage) => Promise<Schemas['ScrollResult']>,
  filter: QdrantFilter | undefined,
  { after, limit, withTokens }: { after: PointId | undefined; limit: number; withTokens: boolean },
): AsyncGenerator<StoredPoint[]> {
  const names: string[] = [
    ...denseVectors(collection).map((vector) => vector.name),
    ...sparseSchemes(collection),
  ];
  if (withTokens) names.push(TOKENS);
  const wanted = { filter, with_payload: true as const, with_vector: names };
  const atOnce = withTokens ? POINTS_WITH_TOKENS_AT_ONCE : POINTS_AT_ONCE;
  for await (const page of recordPages(scroll, wanted, after, { limit, atOnce })) {
    yield page.map((point) => storedPoint(collection, point));
  }
}

/** Like `pointPages`, with the fields and filter of `wanted`; at most `atOnce` points per response. */
export async function* recordPages(
  scroll: (page: ScrollPage) => Promise<Schemas['ScrollResult']>,
  {
    filter,
    with_payload,
    with_vector,
  }: Pick<ScrollPage, 'with_payload' | 'with_vector'> & { filter: QdrantFilter | undefined },
  after: PointId | undefined,
  { limit, atOnce }: { limit: number; atOnce: number },
): AsyncGenerator<Schemas['Record'][]> {
  let offset: Schemas['ExtendedPointId'] | null | undefined = after;
  do {
    const found = await scroll({
      // One more than needed, because Qdrant starts with the previous point if it still exists.
      limit: Math.min(limit + 1, atOnce),
      with_payload,
      with_vector,
      ...(offset === undefined ? {} : { offset }),
      ...(filter === undefined ? {} : { filter }),
    });
    yield found.points.filter(({ id }) => id !== after);
    offset = found.next_page_offset as Schemas['ExtendedPointId'] | null | undefined;
  } while (offset !== null && offset !== undefined);
}

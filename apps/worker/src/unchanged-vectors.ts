import { SPARSE_SCHEMES, type Collection, type CollectionName } from '@embedmill/jobs';
import type { StoredPoint, VectorStore } from '@embedmill/vector-store';
import { keyOf } from './document-key.ts';
import type { PendingDocument } from './shard-reading.ts';

/** The maximum number of points in memory; a single document may exceed it. */
const MOST_POINTS = 20_000;
/** The same for points with token vectors, of some tens of kilobytes each. */
const MOST_POINTS_WITH_TOKENS = 2000;

/**
 * The points of documents that are stored with another fingerprint, because the new version may reuse some or all of
 * their vectors. If there are too many to hold in memory, the later documents are embedded again.
 */
export async function storedPoints(
  pending: readonly PendingDocument[],
  collection: Collection,
  store: Pick<VectorStore, 'getPoints'>,
): Promise<Map<PendingDocument, StoredPoint[]>> {
  const most = collection.profile.lateInteraction === undefined ? MOST_POINTS : MOST_POINTS_WITH_TOKENS;
  let left = most;
  const stored = pending.filter(({ storedChunks }) => {
    if (storedChunks === 0 || (storedChunks > left && left < most)) return false;
    left -= storedChunks;
    return true;
  });
  if (stored.length === 0) return new Map();
  const keys = stored.map(({ document }) => document);
  const points = Map.groupBy(await store.getPoints(collection.name as CollectionName, keys), ({ payload }) =>
    keyOf(payload.tenant, payload.document_id),
  );
  return new Map(stored.map((one) => [one, points.get(keyOf(one.document.tenant, one.document.id)) ?? []]));
}

/**
 * Whether a document's points have all vectors of its new version, so that only their payloads must be written: no
 * input of the vectors has changed, and no chunk or vector is missing. Pure.
 */
export function isSameContent(
  points: readonly StoredPoint[],
  content: string,
  { other, profile }: Collection,
): boolean {
  const count = points[0]?.payload.chunk_count;
  if (count !== points.length) return false;
  const schemes = SPARSE_SCHEMES.filter((scheme) => profile.sparse[scheme] !== undefined);
  return points.every(({ other: second, tokens, payload, dense }, index) => {
    if (payload.content !== content || payload.chunk_index !== index) return false;
    if (dense.length === 0 || (other !== undefined && second === undefined)) return false;
    if (profile.lateInteraction !== undefined && tokens === undefined && !isPicture(payload)) return false;
    // A scheme that finds no term has no vector, which is indistinguishable from a scheme that did not run; both have
    // the same profile.
    return schemes.every(
      (scheme) => scheme === 'bm25' || payload.hashes?.[scheme] !== undefined || isPicture(payload),
    );
  });
}

const isPicture = ({ image }: StoredPoint['payload']): boolean => image !== null;

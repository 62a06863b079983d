import {
  EmbedmillError,
  joinedStructure,
  joinedText,
  type Collection,
  type CollectionName,
  type Document,
} from '@embedmill/jobs';
import type { FoundDocument, StoredPoint, VectorStore } from '@embedmill/vector-store';
import { keyOf } from './document-key.ts';
import type { ShardModels } from './draft-vectors.ts';
import { contentIn, type PendingDocument } from './shard-reading.ts';

/**
 * Two collections of the same documents with different chunking or weighting; each names the other as its `twin`.
 * Submissions to one are written to both, so a copy only has to transfer what existed before. It writes each document
 * under the sequence that decided it, so the same version remains in both, whatever the order of arrival.
 */

/** A document of the twin as it was submitted, with the sequence that decided it. */
export interface Original {
  document: Document;
  sequence: number;
  /** Set if it is not everything that was submitted. */
  warning: EmbedmillError | undefined;
}

/** The collection's twin; undefined if there is none, or no longer one. */
export async function twinOf(
  { name, twin }: Collection,
  store: Pick<VectorStore, 'getCollection'>,
): Promise<Collection | undefined> {
  if (twin === undefined) return undefined;
  const found = await store.getCollection(twin.name as CollectionName);
  return found?.twin?.name === name ? found : undefined;
}

export function noTwin({ name }: Collection): EmbedmillError {
  const message = `"${name}" is no longer being filled from another collection: the migration has ended`;
  return new EmbedmillError('migration_state', message);
}

/** Each document's state in the twin; none if there is no twin. */
export async function twinPoints(
  pending: readonly PendingDocument[],
  twin: Collection | undefined,
  store: Pick<VectorStore, 'getPoints'>,
): Promise<Map<PendingDocument, StoredPoint[]>> {
  if (twin === undefined || pending.length === 0) return new Map();
  const found = await pointsByDocument(pending, twin, store);
  return new Map(
    pending.flatMap((one) => {
      const points = found.get(keyOf(one.document.tenant, one.document.id));
      return points === undefined ? [] : [[one, points]];
    }),
  );
}

/**
 * The documents in the twin's version. Undefined if it is missing or incomplete there, because its deletion or write
 * also applies here.
 */
export async function readOriginals(
  pending: readonly PendingDocument[],
  twin: Collection,
  { store, models }: { store: Pick<VectorStore, 'findDocuments' | 'getPoints'>; models: ShardModels },
): Promise<(Original | undefined)[]> {
  const keys = pending.map(({ document }) => document);
  const found = await store.findDocuments(twin.name as CollectionName, keys);
  const points = await pointsByDocument(pending, twin, store);
  const contentOf = contentIn(twin, models.own.revision);
  return pending.map(({ document: { tenant, id } }, n) =>
    originalOf(points.get(keyOf(tenant, id)) ?? [], found[n], twin, contentOf),
  );
}

async function pointsByDocument(
  pending: readonly PendingDocument[],
  { name }: Collection,
  store: Pick<VectorStore, 'getPoints'>,
): Promise<Map<string, StoredPoint[]>> {
  const keys = pending.map(({ document }) => document);
  return Map.groupBy(await store.getPoints(name as CollectionName, keys), ({ payload }) =>
    keyOf(payload.tenant, payload.document_id),
  );
}

/** A document assembled from its points; undefined unless they are complete and of one version. */
function originalOf(
  points: readonly StoredPoint[],
  found: FoundDocument | undefined,
  { name, vector }: Collection,
  contentOf: (document: Document) => string,
): Original | undefined {
  const [first] = points;
  if (first === undefined || first.payload.chunk_count !== points.length) return undefined;
  const {
    document_id: id,
    tenant,
    title,
    image,
    metadata,
    source,
    content,
    hashes,
    sequence,
  } = first.payload;
  if (points.some(({ payload }) => payload.sequence !== sequence)) return undefined;
  const structure = joinedStructure(points.map(({ payload }) => payload));
  const document: Document = {
    id,
    tenant,
    text: joinedText(points.map(({ payload }) => payload)),
    title: title ?? undefined,
    image: image ?? undefined,
    video: undefined,
    metadata,
    ...(typeof source === 'string' && { source }),
    ...(structure !== undefined && { structure }),
  };
  const isBrought = content !== undefined && hashes?.[vector] === undefined;
  const isWhole = isBrought || content === undefined || content === contentOf(document);
  const message = `text: "${name}" stores only what its chunks contain of the submitted text; submit the document again to store all of it`;
  return {
    // A vector submitted with its document must not be recomputed.
    document: isBrought ? { ...document, vector: Array.from(first.dense) } : document,
    sequence: Math.max(sequence, found?.state === 'stored' ? found.decided : 0),
    warning: isWhole ? undefined : new EmbedmillError('text_incomplete', message),
  };
}

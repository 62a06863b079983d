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
 * Two collections of the same documents, cut or weighted in different ways: each names the other as its `twin`. What is
 * submitted to one is written to both, so a copy has to bring only what was there before; it comes under the sequence that
 * decided it, so that in whatever order they arrive, the same version remains in both.
 */

/** A document of the twin as it was submitted, with the sequence that decided it. */
export interface Original {
  document: Document;
  sequence: number;
  /** Where it is not all that was submitted. */
  warning: EmbedmillError | undefined;
}

/** The collection's twin; undefined where there is none, or not any more. */
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

/** Of each document what the twin has of it; none where there is no twin. */
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
 * The documents as the twin has them. Undefined where it has none, or not the whole: whoever deleted it, or is writing it,
 * does so here as well.
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

/** A document put together from its points; undefined unless they are those of one version, and all of them. */
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
    // A vector that came with its document is nobody's to compute.
    document: isBrought ? { ...document, vector: Array.from(first.dense) } : document,
    sequence: Math.max(sequence, found?.state === 'stored' ? found.decided : 0),
    warning: isWhole ? undefined : new EmbedmillError('text_incomplete', message),
  };
}

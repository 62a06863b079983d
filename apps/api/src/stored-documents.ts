import type { CollectionName, Filter, PointId, TenantId } from '@embedmill/jobs';
import type { DocumentKey, PointPayload, VectorStore } from '@embedmill/vector-store';

const PAGE = 1000;

export interface StoredSelection {
  filter?: Filter | undefined;
  tenant?: TenantId | undefined;
  /**
   * Whole documents where they can be had; or keys, of those alone that were written to their end, as lines that have no
   * text to speak of, or that delete.
   */
  as: 'documents' | 'keys' | 'tombstones';
}

/** How many documents there are of these, written to their end. */
export async function countSelected(
  store: VectorStore,
  collection: CollectionName,
  { filter, tenant }: Pick<StoredSelection, 'filter' | 'tenant'>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let documents = 0;
  for await (const payloads of selectedPayloads(store, collection, { filter, tenant }, signal)) {
    documents += payloads.filter(({ chunk_index }) => chunk_index === 0).length;
  }
  return documents;
}

async function* selectedPayloads(
  store: VectorStore,
  collection: CollectionName,
  { filter, tenant }: Pick<StoredSelection, 'filter' | 'tenant'>,
  signal: AbortSignal | undefined,
): AsyncGenerator<PointPayload[]> {
  let after: PointId | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const points = await store.scanPoints(collection, { limit: PAGE, after, filter, tenant });
    yield points.map(({ payload }) => payload);
    after = points.at(-1)?.id;
    if (points.length < PAGE || after === undefined) return;
  }
}

/**
 * A collection's documents as lines of a source, in the order of their first points: what a job over stored documents is
 * cut into shards by. Each has its id and tenant; its text is what the store has, so that the line is a whole document,
 * but only of one chunk: the first, or, where writing a document was cut short and it has no first one, any.
 */
export async function* storedDocuments(
  store: VectorStore,
  collection: CollectionName,
  { filter, tenant: only, as }: StoredSelection,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const torn = new Set<string>();
  for await (const payloads of selectedPayloads(store, collection, { filter, tenant: only }, signal)) {
    const first = payloads.filter(({ chunk_index }) => chunk_index === 0);
    const rest = as !== 'documents' ? [] : payloads.filter(({ chunk_index }) => chunk_index > 0);
    const lines = [...first, ...(await withoutFirst(rest))].map((payload) => lineOf(payload, as));
    yield Buffer.from(lines.join(''));
  }

  /** Of documents that have no first chunk, one chunk each; none of those that came before. */
  async function withoutFirst(chunks: PointPayload[]): Promise<PointPayload[]> {
    const byDocument = new Map(chunks.map((payload) => [JSON.stringify(keyOf(payload)), payload]));
    const known = await store.findDocuments(collection, [...byDocument.values()].map(keyOf));
    return [...byDocument].flatMap(([key, payload], n) => {
      if (known[n] !== undefined || torn.has(key)) return [];
      torn.add(key);
      return payload;
    });
  }
}

const keyOf = ({ tenant, document_id: id }: PointPayload): DocumentKey => ({ tenant, id });

function lineOf({ document_id: id, tenant, text }: PointPayload, as: StoredSelection['as']): string {
  if (as === 'tombstones') return `${JSON.stringify({ id, tenant, deleted: true })}\n`;
  return `${JSON.stringify({ id, tenant, text: as === 'keys' || text === '' ? '-' : text })}\n`;
}

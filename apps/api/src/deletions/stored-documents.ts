import type { CollectionName, Filter, PointId, TenantId } from '@embedmill/jobs';
import type { DocumentKey, DocumentScan, PointPayload, VectorStore } from '@embedmill/vector-store';

const PAGE = 1000;

export interface StoredSelection {
  filter?: Filter | undefined;
  tenant?: TenantId | undefined;
  /**
   * Whole documents where they can be had; or keys, of those alone that were written to their end, as lines that have no
   * text to speak of.
   */
  as: 'documents' | 'keys';
}

/** How many documents there are of these, written to their end. */
export async function countSelected(
  store: VectorStore,
  collection: CollectionName,
  selection: Pick<StoredSelection, 'filter' | 'tenant'>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let documents = 0;
  for await (const page of documentPages(store, collection, selection, signal)) documents += page.length;
  return documents;
}

/** The keys of documents that were written to their end, some at a time. */
export async function* documentPages(
  store: VectorStore,
  collection: CollectionName,
  selection: Pick<DocumentScan, 'filter' | 'tenant' | 'source'>,
  signal: AbortSignal | undefined,
): AsyncGenerator<DocumentKey[]> {
  let after: PointId | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const page = await store.scanDocuments(collection, { ...selection, limit: PAGE, after });
    yield page;
    after = page.at(-1)?.point;
    if (page.length < PAGE || after === undefined) return;
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
  if (as !== 'documents') {
    for await (const page of documentPages(store, collection, { filter, tenant: only }, signal))
      yield keyLines(page);
    return;
  }
  const torn = new Set<string>();
  let after: PointId | undefined;
  for (;;) {
    signal.throwIfAborted();
    const points = await store.scanPoints(collection, { limit: PAGE, after, filter, tenant: only });
    const payloads = points.map(({ payload }) => payload);
    const first = payloads.filter(({ chunk_index }) => chunk_index === 0);
    const rest = payloads.filter(({ chunk_index }) => chunk_index > 0);
    const lines = [...first, ...(await withoutFirst(rest))].map(lineOf);
    yield Buffer.from(lines.join(''));
    after = points.at(-1)?.id;
    if (points.length < PAGE || after === undefined) return;
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

function lineOf({ document_id: id, tenant, text }: PointPayload): string {
  return `${JSON.stringify({ id, tenant, text: text === '' ? '-' : text })}\n`;
}

/** Keys as lines of a source, with a text that says nothing. */
function keyLines(keys: readonly DocumentKey[]): Buffer {
  return Buffer.from(keys.map(({ id, tenant }) => `${JSON.stringify({ id, tenant, text: '-' })}\n`).join(''));
}

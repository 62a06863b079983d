import type { CollectionName, Filter, PointId, TenantId } from '@embedmill/jobs';
import type { DocumentKey, DocumentScan, PointPayload, VectorStore } from '@embedmill/vector-store';

const PAGE = 1000;

export interface StoredSelection {
  filter?: Filter | undefined;
  tenant?: TenantId | undefined;
  /**
   * `documents`: whole documents if possible; `keys`: only keys of completely written documents, as lines with a
   * placeholder text.
   */
  as: 'documents' | 'keys';
}

/** The number of completely written documents. */
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

/** The keys of completely written documents, in batches. */
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
 * A collection's documents as lines of a source, in the order of their first points, for jobs over stored documents.
 * Each line is a valid document with its id and tenant, but its text is only that of one chunk: the first, or any other
 * if writing was interrupted and the first is missing.
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

  /** One chunk of each document without a first chunk; none for documents already listed. */
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

/** Keys as lines of a source, with a placeholder text. */
function keyLines(keys: readonly DocumentKey[]): Buffer {
  return Buffer.from(keys.map(({ id, tenant }) => `${JSON.stringify({ id, tenant, text: '-' })}\n`).join(''));
}

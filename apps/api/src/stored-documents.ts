import type { CollectionName, PointId } from '@embedmill/jobs';
import type { VectorStore } from '@embedmill/vector-store';

const PAGE = 1000;

/**
 * A collection's documents as lines of a source, in the order of their first points: what a job over stored documents is
 * cut into shards by. Each has its id and tenant; its text is what the store has, so that the line is a whole document,
 * but only of its first chunk.
 */
export async function* storedDocuments(
  store: VectorStore,
  collection: CollectionName,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let after: PointId | undefined;
  for (;;) {
    signal.throwIfAborted();
    const points = await store.scanPoints(collection, { limit: PAGE, after });
    const lines = points.flatMap(({ payload: { document_id: id, tenant, chunk_index, text } }) =>
      chunk_index === 0 ? `${JSON.stringify({ id, tenant, text: text === '' ? '-' : text })}\n` : [],
    );
    yield Buffer.from(lines.join(''));
    after = points.at(-1)?.id;
    if (points.length < PAGE || after === undefined) return;
  }
}

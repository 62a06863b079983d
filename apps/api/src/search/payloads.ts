import type { Collection, CollectionName, PointId } from '@embedmill/jobs';
import type { PointPayload, RankedPoint, VectorStore } from '@embedmill/vector-store';
import { AnswerRoom, sizeOf } from './answer-size.ts';

/** Hits whose payloads are read in one call. */
const AT_ONCE = 64;

/**
 * The payloads of one request's hits. A payload can have 64 KiB of metadata and more, so those of a deep list are never all
 * in memory: they are read in groups, callers keep what they need of each, and what is held here fits into one response.
 */
export class HitPayloads {
  readonly #store: Pick<VectorStore, 'getPayloads'>;
  readonly #collection: CollectionName;
  readonly #held = new Map<PointId, PointPayload>();
  readonly #room = new AnswerRoom();
  /** By point, for all requested ones. */
  readonly #documents = new Map<PointId, string>();

  constructor(store: Pick<VectorStore, 'getPayloads'>, { name }: Pick<Collection, 'name'>) {
    this.#store = store;
    this.#collection = name as CollectionName;
  }

  /** The hits with their payloads, in order; without points deleted in the meantime. */
  async *of<T extends { point: RankedPoint }>(hits: readonly T[]): AsyncGenerator<[T, PointPayload]> {
    for (let from = 0; from < hits.length; from += AT_ONCE) {
      const some = hits.slice(from, from + AT_ONCE);
      const unread = some.flatMap(({ point: { id } }) => (this.#held.has(id) ? [] : id));
      const read = unread.length === 0 ? undefined : await this.#store.getPayloads(this.#collection, unread);
      for (const hit of some) {
        const { id } = hit.point;
        const payload = this.#held.get(id) ?? read?.get(id);
        if (payload === undefined) continue;
        if (!this.#held.has(id) && this.#room.take(sizeOf(payload))) this.#held.set(id, payload);
        yield [hit, payload];
      }
    }
  }

  /** The hits with the keys of their documents; without points deleted in the meantime. */
  async withDocuments<T extends { point: RankedPoint }>(
    hits: readonly T[],
  ): Promise<(T & { document: string })[]> {
    const unknown = hits.filter(({ point }) => !this.#documents.has(point.id));
    for await (const [{ point }, { tenant, document_id: id }] of this.of(unknown))
      this.#documents.set(point.id, JSON.stringify([tenant, id]));
    return hits.flatMap((hit) => {
      const document = this.#documents.get(hit.point.id);
      return document === undefined ? [] : [{ ...hit, document }];
    });
  }

  /** The hits that fit into a response, with their payloads, and whether there are more. */
  async page<T extends { point: RankedPoint }>(
    hits: readonly T[],
  ): Promise<{ found: (T & { point: RankedPoint & { payload: PointPayload } })[]; isCut: boolean }> {
    const room = new AnswerRoom();
    const found: (T & { point: RankedPoint & { payload: PointPayload } })[] = [];
    for await (const [hit, payload] of this.of(hits)) {
      if (!room.take(sizeOf(payload))) return { found, isCut: true };
      found.push({ ...hit, point: { ...hit.point, payload } });
    }
    return { found, isCut: false };
  }
}

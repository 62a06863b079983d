import type { Collection, CollectionName, PointId } from '@embedmill/jobs';
import { conditionOf, satisfies } from '../condition.ts';
import { sortByDocument } from '../document-order.ts';
import { groups } from '../groups.ts';
import type {
  DocumentKey,
  DocumentScan,
  PointPayload,
  PointScan,
  ScannedDocument,
  StoredPoint,
} from '../store.ts';
import type { QdrantConnection } from './qdrant-connection.ts';
import {
  byTenant,
  headFilter,
  isExact,
  ofDocuments,
  ofSource,
  qdrantCondition,
  searchFilter,
  shown,
  type QdrantFilter,
} from './qdrant-filter.ts';
import { pointPages, POINTS_AT_ONCE, recordPages, type ScrollPage } from './qdrant-scroll.ts';
import type { Place, QdrantShards } from './qdrant-shards.ts';

/** The number of documents per response when read without vectors. */
const DOCUMENTS_AT_ONCE = 1000;

interface PageOptions {
  place: Place;
  after?: PointId | undefined;
  limit?: number;
  withTokens?: boolean;
}

/** Reads stored points and documents without a search; QdrantStore calls it. */
export class QdrantScans {
  readonly #connection: QdrantConnection;
  readonly #shards: QdrantShards;

  constructor(connection: QdrantConnection, shards: QdrantShards) {
    this.#connection = connection;
    this.#shards = shards;
  }

  /** All points of these documents, document by document. */
  async ofDocuments(name: CollectionName, documents: DocumentKey[]): Promise<StoredPoint[]> {
    const collection = await this.#connection.collection(name);
    const points: StoredPoint[] = [];
    for (const [tenant, group] of byTenant(documents)) {
      for (const some of groups(group, POINTS_AT_ONCE)) {
        const filter = ofDocuments(
          tenant,
          some.map((document) => document.id),
        );
        const withTokens = collection.profile.lateInteraction !== undefined;
        const place = this.#shards.of(name, tenant);
        const pages = this.#pages(collection, shown(filter), { place, withTokens });
        for await (const page of pages) points.push(...page);
      }
    }
    return sortByDocument(points, documents);
  }

  /** Points in order of their ids. */
  async points(name: CollectionName, { limit, after, filter, tenant }: PointScan): Promise<StoredPoint[]> {
    const collection = await this.#connection.collection(name);
    const condition = filter && conditionOf(filter, collection.profile.filterable);
    const points: StoredPoint[] = [];
    const checked = condition === undefined || isExact(condition) ? undefined : condition;
    const wanted = shown(searchFilter(tenant, condition));
    const place = this.#shards.of(name, tenant);
    for await (const page of this.#pages(collection, wanted, { place, after, limit })) {
      points.push(...page.filter(({ payload }) => checked === undefined || satisfies(checked, payload)));
      if (points.length >= limit) break;
    }
    return points.slice(0, limit);
  }

  /** Documents by their first points, in order of these points' ids. */
  async documents(
    name: CollectionName,
    { limit, after, filter, tenant, source }: DocumentScan,
  ): Promise<ScannedDocument[]> {
    const collection = await this.#connection.collection(name);
    const condition = filter && conditionOf(filter, collection.profile.filterable);
    const checked = condition === undefined || isExact(condition) ? undefined : condition;
    const { must } = headFilter(tenant);
    if (condition !== undefined) must.push(qdrantCondition(condition));
    if (source !== undefined) must.push(ofSource(source));
    const place = this.#shards.of(name, tenant);
    const scroll = (page: ScrollPage) =>
      this.#connection.send(name, (client) => client.scroll(name, { ...page, ...place }));
    const wanted = {
      filter: shown({ must }),
      with_payload: checked === undefined ? ['document_id', 'tenant'] : (true as const),
      with_vector: false as const,
    };
    const documents: ScannedDocument[] = [];
    for await (const page of recordPages(scroll, wanted, after, { limit, atOnce: DOCUMENTS_AT_ONCE })) {
      for (const { id, payload } of page) {
        const { document_id, tenant: its } = payload as unknown as PointPayload;
        if (checked !== undefined && !satisfies(checked, payload as unknown as PointPayload)) continue;
        documents.push({ point: id as PointId, tenant: its, id: document_id });
      }
      if (documents.length >= limit) break;
    }
    return documents.slice(0, limit);
  }

  /** Points with their vectors in order of their ids, after a given one, in batches. */
  #pages(
    collection: Collection,
    filter: QdrantFilter | undefined,
    { place, after, limit = Infinity, withTokens = false }: PageOptions,
  ): AsyncGenerator<StoredPoint[]> {
    const { name } = collection;
    const scroll = (page: ScrollPage) =>
      this.#connection.send(name, (client) => client.scroll(name, { ...page, ...place }));
    return pointPages(collection, scroll, filter, { after, limit, withTokens });
  }
}

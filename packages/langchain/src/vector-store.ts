import { Document, type DocumentInterface } from '@langchain/core/documents';
import type { EmbeddingsInterface } from '@langchain/core/embeddings';
import { VectorStore } from '@langchain/core/vectorstores';
import type { Client, Document as Submitted, Filter, Job, SearchRequest } from '@embedmill/client';
import { EmbedmillEmbeddings } from './embeddings.ts';
import { filterOf, type VectorStoreFilter } from './filter.ts';

export interface EmbedmillVectorStoreParams {
  client: Client;
  /** An existing collection, or an alias. */
  collection: string;
  /** Options of every search, such as `{ mode: 'hybrid', rerank: true }`. */
  search?: Omit<SearchRequest, 'query' | 'queries' | 'image' | 'limit' | 'offset' | 'filter'>;
}

export interface AddOptions {
  /** One for each document, in place of the documents' own ids. */
  ids?: string[];
}

/** What to delete: by ids or by a filter. */
export type DeleteParams =
  { ids: string[]; filter?: undefined } | { ids?: undefined; filter: VectorStoreFilter };

/**
 * An embedmill collection as a LangChain vector store. The server embeds, so documents and queries are sent as texts; the
 * `embeddings` are only for callers that request them from the store. Added documents are searchable, and deleted ones are
 * gone, when the promise resolves.
 */
export class EmbedmillVectorStore extends VectorStore {
  declare FilterType: VectorStoreFilter;
  readonly #client: Client;
  readonly #collection: string;
  readonly #search: EmbedmillVectorStoreParams['search'];

  constructor(embeddings: EmbeddingsInterface, params: EmbedmillVectorStoreParams) {
    super(embeddings, {});
    this.#client = params.client;
    this.#collection = params.collection;
    this.#search = params.search;
  }

  _vectorstoreType(): string {
    return 'embedmill';
  }

  /** An existing collection, with the embeddings of its model. */
  static async fromExistingCollection(params: EmbedmillVectorStoreParams): Promise<EmbedmillVectorStore> {
    const { profile } = await params.client.collections.get(params.collection);
    const embeddings = new EmbedmillEmbeddings({ client: params.client, model: profile.model });
    return new EmbedmillVectorStore(embeddings, params);
  }

  static override async fromTexts(
    texts: string[],
    metadatas: object | object[],
    embeddings: EmbeddingsInterface,
    params: EmbedmillVectorStoreParams,
  ): Promise<EmbedmillVectorStore> {
    const documents = texts.map((pageContent, n) => {
      const metadata: object = Array.isArray(metadatas)
        ? ((metadatas[n] as object | undefined) ?? {})
        : metadatas;
      return new Document({ pageContent, metadata });
    });
    return EmbedmillVectorStore.fromDocuments(documents, embeddings, params);
  }

  static override async fromDocuments(
    documents: DocumentInterface[],
    embeddings: EmbeddingsInterface,
    params: EmbedmillVectorStoreParams,
  ): Promise<EmbedmillVectorStore> {
    const store = new EmbedmillVectorStore(embeddings, params);
    await store.addDocuments(documents);
    return store;
  }

  /** Returns their ids. A document without an id gets one from its content, so that adding it again changes nothing. */
  override async addDocuments(documents: DocumentInterface[], options: AddOptions = {}): Promise<string[]> {
    return this.#add(await submittedOf(documents, options));
  }

  /** Like `addDocuments`, with vectors of the collection's model, which are stored unchanged. */
  override async addVectors(
    vectors: number[][],
    documents: DocumentInterface[],
    options: AddOptions = {},
  ): Promise<string[]> {
    if (vectors.length !== documents.length)
      throw new RangeError(`${vectors.length} vectors are given for ${documents.length} documents`);
    const submitted = await submittedOf(documents, options);
    return this.#add(submitted.map((document, n) => ({ ...document, vector: vectors[n] })));
  }

  override async delete(params: DeleteParams): Promise<void> {
    const { ids, filter } = params;
    if ((ids === undefined) === (filter === undefined))
      throw new TypeError('specify what to delete: { ids } or { filter }');
    if (ids?.length === 0) return;
    const selection = ids === undefined ? { filter: filterOf(filter) as Filter } : { ids };
    await this.#ended(await this.#client.documents.delete(this.#collection, selection));
  }

  override async similaritySearch(query: string, k = 4, filter?: VectorStoreFilter): Promise<Document[]> {
    return (await this.similaritySearchWithScore(query, k, filter)).map(([document]) => document);
  }

  override async similaritySearchWithScore(
    query: string,
    k = 4,
    filter?: VectorStoreFilter,
  ): Promise<[Document, number][]> {
    const request = { ...this.#search, query, limit: k, filter: filterOf(filter) };
    const { hits } = await this.#client.search(this.#collection, request);
    return hits.map(({ id, text, title, metadata, score }) => {
      const titled = title === null ? metadata : { title, ...metadata };
      return [new Document({ id, pageContent: text, metadata: titled }), score];
    });
  }

  /** embedmill takes queries as texts, which it embeds itself and also uses for searches by words. */
  async similaritySearchVectorWithScore(): Promise<[Document, number][]> {
    throw new Error(
      'embedmill searches by texts, not by vectors: use similaritySearch or similaritySearchWithScore',
    );
  }

  async #add(documents: Submitted[]): Promise<string[]> {
    if (documents.length > 0) await this.#ended(await this.#client.submit(this.#collection, documents));
    return documents.map(({ id }) => String(id));
  }

  /** Throws if the job or some of its documents failed; the others are stored. */
  async #ended({ id }: Job): Promise<void> {
    const { state, failed, error } = await this.#client.jobs.finished(id);
    if (state !== 'completed') throw new Error(`job ${id} is ${state}${error ? `: ${error.message}` : ''}`);
    if (failed === 0) return;
    const { value } = await this.#client.failures(id).next();
    const first = typeof value === 'object' ? `, the first being ${value.id}: ${value.message}` : '';
    throw new Error(`job ${id} ended with ${failed} failed${first}`);
  }
}

async function submittedOf(documents: DocumentInterface[], { ids }: AddOptions): Promise<Submitted[]> {
  if (ids !== undefined && ids.length !== documents.length)
    throw new RangeError(`${ids.length} ids are given for ${documents.length} documents`);
  return Promise.all(
    documents.map(async (document, n): Promise<Submitted> => {
      const { pageContent: text, metadata } = document;
      return {
        id: ids?.[n] ?? document.id ?? (await idOf(document)),
        text,
        metadata: metadata as Submitted['metadata'],
      };
    }),
  );
}

/** The same for the same text and metadata. */
async function idOf({ pageContent, metadata }: DocumentInterface): Promise<string> {
  const content = new TextEncoder().encode(JSON.stringify([pageContent, metadata]));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
  return Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

import { observedStore, type StoreObserver } from './observed-store.ts';
import type { VectorStore } from './store.ts';
import { openMilvusStore, type MilvusOptions } from './milvus/open-milvus-store.ts';
import { openQdrantStore, type QdrantOptions } from './qdrant/open-qdrant-store.ts';
import { connectStore } from './socket/connect-store.ts';

export interface StoreOptions {
  qdrantUrl?: string | undefined;
  qdrantApiKey?: string | undefined;
  /** How to use it. */
  qdrant?: Omit<QdrantOptions, 'url' | 'apiKey' | 'onThrottled'> | undefined;
  /** The address of a Milvus server, and how to use it. */
  milvus?: Omit<MilvusOptions, 'onThrottled'> | undefined;
  /** The socket of the process that owns the embedded store; used if no other store is given. */
  socket: string;
  /** Is notified of each call, and of throttled requests. */
  observer?: StoreObserver | undefined;
}

/** Opens the configured store: Qdrant or Milvus if a URL is given, else the embedded one, through its socket. */
export async function openStore(options: StoreOptions): Promise<VectorStore> {
  const { observer } = options;
  const store = await storeOf(options);
  return observer === undefined ? store : observedStore(store, observer);
}

async function storeOf(options: StoreOptions): Promise<VectorStore> {
  const { qdrantUrl, qdrantApiKey, qdrant, milvus, socket, observer } = options;
  const onThrottled = observer?.onThrottled;
  if (milvus !== undefined) return openMilvusStore({ ...milvus, onThrottled });
  if (qdrantUrl === undefined || qdrantUrl === '') return connectStore(socket);
  return openQdrantStore({ ...qdrant, url: qdrantUrl, apiKey: qdrantApiKey, onThrottled });
}

import { observedStore, type StoreObserver } from './observed-store.ts';
import type { VectorStore } from './store.ts';
import { openMilvusStore, type MilvusOptions } from './milvus/open-milvus-store.ts';
import { openQdrantStore, type QdrantOptions } from './qdrant/open-qdrant-store.ts';
import { connectStore } from './socket/connect-store.ts';

export interface StoreOptions {
  qdrantUrl?: string | undefined;
  qdrantApiKey?: string | undefined;
  /** How it is used. */
  qdrant?: Omit<QdrantOptions, 'url' | 'apiKey' | 'onThrottled'> | undefined;
  /** Where a Milvus is, and how it is used. */
  milvus?: Omit<MilvusOptions, 'onThrottled'> | undefined;
  /** The socket of the process that owns the embedded store; used where no other is given. */
  socket: string;
  /** Is told of each call, and of requests that were throttled. */
  observer?: StoreObserver | undefined;
}

/** The store that a configuration means: Qdrant or Milvus where a URL is given, else the embedded one, through its socket. */
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

import { observedStore, type StoreObserver } from './observed-store.ts';
import type { VectorStore } from './store.ts';
import { openQdrantStore, type QdrantOptions } from './qdrant/open-qdrant-store.ts';
import { connectStore } from './socket/connect-store.ts';

export interface StoreOptions {
  qdrantUrl?: string | undefined;
  qdrantApiKey?: string | undefined;
  /** How it is used. */
  qdrant?: Omit<QdrantOptions, 'url' | 'apiKey' | 'onThrottled'> | undefined;
  /** The socket of the process that owns the embedded store; used where no Qdrant is given. */
  socket: string;
  /** Is told of each call, and of requests that were throttled. */
  observer?: StoreObserver | undefined;
}

/** The store that a configuration means: Qdrant where a URL is given, else the embedded one, through its socket. */
export async function openStore({
  qdrantUrl,
  qdrantApiKey,
  qdrant,
  socket,
  observer,
}: StoreOptions): Promise<VectorStore> {
  const store =
    qdrantUrl === undefined || qdrantUrl === ''
      ? connectStore(socket)
      : await openQdrantStore({
          ...qdrant,
          url: qdrantUrl,
          apiKey: qdrantApiKey,
          onThrottled: observer?.onThrottled,
        });
  return observer === undefined ? store : observedStore(store, observer);
}

import type { VectorStore } from './store.ts';
import { openQdrantStore } from './qdrant/open-qdrant-store.ts';
import { connectStore } from './socket/connect-store.ts';

export interface StoreOptions {
  qdrantUrl?: string | undefined;
  qdrantApiKey?: string | undefined;
  /** The socket of the process that owns the embedded store; used where no Qdrant is given. */
  socket: string;
}

/** The store that a configuration means: Qdrant where a URL is given, else the embedded one, through its socket. */
export async function openStore({ qdrantUrl, qdrantApiKey, socket }: StoreOptions): Promise<VectorStore> {
  return qdrantUrl === undefined || qdrantUrl === ''
    ? connectStore(socket)
    : openQdrantStore({ url: qdrantUrl, apiKey: qdrantApiKey });
}

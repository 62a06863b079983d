import { EmbedmillError, USUAL_QDRANT, type QdrantLayout } from '@embedmill/jobs';
import { QdrantConnection } from './qdrant-connection.ts';
import { QdrantStore } from './qdrant-store.ts';

export interface QdrantOptions {
  /** Where Qdrant's HTTP API is: `http://localhost:6333`; without a port, 6333 is meant, as with Qdrant's own clients. */
  url: string;
  apiKey?: string | undefined;
  /** How long a write or a count may take until it is asked again, in milliseconds. */
  timeout?: number | undefined;
  /** How long what a search asks for may take, in milliseconds; it is not asked again. */
  searchTimeout?: number | undefined;
  /** How new collections are kept. */
  layout?: QdrantLayout | undefined;
  /** Tenants with shards of their own in collections sharded by keys. */
  largeTenants?: string[] | undefined;
  /** Points from which on a first load puts the index off; 0: never. */
  bulkPoints?: number | undefined;
  /** Called for each request that the server answers with "too many requests". */
  onThrottled?: (() => void) | undefined;
}

/**
 * The vector store in a Qdrant server (1.18 or later). Nothing is sent yet: `ping` tells whether it
 * answers, and has what is needed.
 *
 * @throws EmbedmillError `store_unavailable` when the URL is none.
 */
export async function openQdrantStore({
  url,
  apiKey,
  timeout = 30_000,
  searchTimeout = 5000,
  layout = USUAL_QDRANT.layout,
  largeTenants = USUAL_QDRANT.largeTenants,
  bulkPoints = USUAL_QDRANT.bulkPoints,
  onThrottled,
}: QdrantOptions): Promise<QdrantStore> {
  const { protocol, hostname, pathname, port } = urlParts(url);
  // Loaded here, so that a process that uses the embedded store does without it.
  const { LeanClient } = await import('./lean-client.ts');
  const path = pathname.replace(/\/$/, '');
  // Not the client's `apiKey`, at which it would print a warning for a server inside a cluster, without TLS.
  const headers = apiKey === undefined ? {} : { 'api-key': apiKey };
  const client = (within: number) =>
    new LeanClient({
      url: `${protocol}//${hostname}:${port}${path}`,
      headers,
      timeout: within,
      client: {
        // Not its `url`, of which it would drop the path.
        host: hostname,
        https: protocol === 'https:',
        port,
        prefix: path,
        timeout: within,
        checkCompatibility: false,
        headers,
      },
    });
  const clients = { prompt: client(searchTimeout), patient: client(timeout) };
  const connection = new QdrantConnection(
    clients,
    `${protocol}//${hostname}:${port}${pathname}`,
    onThrottled,
  );
  return new QdrantStore(connection, { layout, largeTenants, bulkPoints });
}

function urlParts(text: string) {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    // Not shown: there may be a password in it.
    throw new EmbedmillError(
      'store_unavailable',
      'QDRANT_URL must be an http:// or https:// URL, such as http://127.0.0.1:6333',
    );
  }
  // `URL` forgets a port that is the protocol's own, but :443 is not 6333.
  const written = /^https?:\/\/(?:[^/@]*@)?(?:\[[^\]]*\]|[^/:]*):(\d+)/i.exec(text)?.[1];
  return { ...pick(url), port: Number(written ?? 6333) };
}

function pick({ protocol, hostname, pathname }: URL) {
  return { protocol, hostname, pathname };
}

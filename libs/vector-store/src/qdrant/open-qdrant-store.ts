import { EmbedmillError, USUAL_QDRANT, type QdrantLayout } from '@embedmill/jobs';
import { QdrantConnection } from './qdrant-connection.ts';
import { QdrantStore } from './qdrant-store.ts';

export interface QdrantOptions {
  /**
   * The address of Qdrant's HTTP API: `http://localhost:6333`; the default port is 6333, as in Qdrant's own clients.
   */
  url: string;
  apiKey?: string | undefined;
  /** How long a write or a count may take before it is retried, in milliseconds. */
  timeout?: number | undefined;
  /** How long a search's request may take, in milliseconds; it is not retried. */
  searchTimeout?: number | undefined;
  /** The storage options of new collections. */
  layout?: QdrantLayout | undefined;
  /** Tenants with their own shards in collections sharded by key. */
  largeTenants?: string[] | undefined;
  /** The minimum points of a first load that defers the index; 0: never. */
  bulkPoints?: number | undefined;
  /** Called for each "too many requests" response. */
  onThrottled?: (() => void) | undefined;
}

/**
 * The vector store in a Qdrant server (1.18 or later). Sends nothing yet; `ping` checks whether the server responds and
 * has the required features.
 *
 * @throws EmbedmillError `store_unavailable` if the URL is invalid.
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
  // Imported here, so that processes with the embedded store do not load it.
  const { LeanClient } = await import('./lean-client.ts');
  const path = pathname.replace(/\/$/, '');
  // Not the client's `apiKey`, with which it would print a warning for a server without TLS inside a cluster.
  const headers = apiKey === undefined ? {} : { 'api-key': apiKey };
  const client = (within: number) =>
    new LeanClient({
      url: `${protocol}//${hostname}:${port}${path}`,
      headers,
      timeout: within,
      client: {
        // Not the client's `url`, because it would drop the path.
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
    // Not shown, because it may contain a password.
    throw new EmbedmillError(
      'store_unavailable',
      'QDRANT_URL must be an http:// or https:// URL, such as http://127.0.0.1:6333',
    );
  }
  // `URL` drops the protocol's default port, but :443 must not become 6333.
  const written = /^https?:\/\/(?:[^/@]*@)?(?:\[[^\]]*\]|[^/:]*):(\d+)/i.exec(text)?.[1];
  return { ...pick(url), port: Number(written ?? 6333) };
}

function pick({ protocol, hostname, pathname }: URL) {
  return { protocol, hostname, pathname };
}

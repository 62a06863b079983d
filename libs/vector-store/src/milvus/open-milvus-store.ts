import { EmbedmillError } from '@embedmill/jobs';
import { MilvusConnection } from './milvus-connection.ts';
import { MilvusStore } from './milvus-store.ts';

export interface MilvusOptions {
  /** The address of Milvus' gRPC API: `http://localhost:19530`, or https:// with TLS; the default port is 19530. */
  url: string;
  /** `user:password`, or an API key. */
  token?: string | undefined;
  /** The database; `default` by default. */
  database?: string | undefined;
  /** A PEM file with the certificate of the server's authority. */
  tlsCa?: string | undefined;
  /** How long a write or a count may take before it is retried, in milliseconds. */
  timeout?: number | undefined;
  /** How long a search's request may take, in milliseconds; it is not retried. */
  searchTimeout?: number | undefined;
  /** Called for each "too many requests" response. */
  onThrottled?: (() => void) | undefined;
}

/**
 * The vector store in a Milvus server (2.6 or later) or in Milvus Lite (3.2). Sends nothing yet; `ping` checks whether
 * the server responds.
 *
 * @throws EmbedmillError `store_unavailable` if the URL is invalid.
 */
export async function openMilvusStore({
  url,
  token,
  database,
  tlsCa,
  timeout = 30_000,
  searchTimeout = 5000,
  onThrottled,
}: MilvusOptions): Promise<MilvusStore> {
  const { address, ssl } = urlParts(url);
  // Imported here, so that processes with another store do not load it.
  const { DataType, MilvusClient } = await import('@zilliz/milvus2-sdk-node');
  const client = new MilvusClient({
    address,
    ssl,
    timeout,
    // embedmill itself retries, because it knows which errors are temporary.
    maxRetries: 0,
    logLevel: 'error',
    telemetry: { enabled: false },
    // Disables the client's pings every 10 s, which servers reject as too frequent.
    channelOptions: { 'grpc.keepalive_time_ms': 60_000, 'grpc.keepalive_permit_without_calls': 0 },
    ...(token === undefined ? {} : { token }),
    ...(database === undefined ? {} : { database }),
    ...(tlsCa === undefined ? {} : { tls: { rootCertPath: tlsCa } }),
    // Connects only with the first request.
    __SKIP_CONNECT__: true,
  });
  const shown = `${ssl ? 'https' : 'http'}://${address}${database === undefined ? '' : `, database "${database}"`}`;
  const patience = { search: searchTimeout, other: timeout };
  return new MilvusStore(new MilvusConnection(client, DataType, shown, patience, onThrottled));
}

function urlParts(text: string): { address: string; ssl: boolean } {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    // Not shown, because it may contain a password.
    throw new EmbedmillError(
      'store_unavailable',
      'MILVUS_URL must be an http:// or https:// URL, such as http://127.0.0.1:19530',
    );
  }
  // `URL` drops the protocol's default port, but :443 must not become 19530.
  const written = /^https?:\/\/(?:[^/@]*@)?(?:\[[^\]]*\]|[^/:]*):(\d+)/i.exec(text)?.[1];
  return { address: `${url.hostname}:${written ?? 19530}`, ssl: url.protocol === 'https:' };
}

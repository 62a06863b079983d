import { EmbedmillError } from '@embedmill/jobs';
import { MilvusConnection } from './milvus-connection.ts';
import { MilvusStore } from './milvus-store.ts';

export interface MilvusOptions {
  /** Where Milvus' gRPC API is: `http://localhost:19530`, or https:// with TLS; without a port, 19530 is meant. */
  url: string;
  /** `user:password`, or an API key. */
  token?: string | undefined;
  /** `default` by default. */
  database?: string | undefined;
  /** A file of certificates, in PEM, of the authority that signed the server's. */
  tlsCa?: string | undefined;
  /** How long a write or a count may take until it is asked again, in milliseconds. */
  timeout?: number | undefined;
  /** How long what a search asks for may take, in milliseconds; it is not asked again. */
  searchTimeout?: number | undefined;
  /** Called for each request that the server answers with "too many requests". */
  onThrottled?: (() => void) | undefined;
}

/**
 * The vector store in a Milvus server (2.6 or later) or in Milvus Lite (3.2). Nothing is sent yet: `ping` tells whether it
 * answers.
 *
 * @throws EmbedmillError `store_unavailable` when the URL is none.
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
  // Loaded here, so that a process that uses another store does without it.
  const { DataType, MilvusClient } = await import('@zilliz/milvus2-sdk-node');
  const client = new MilvusClient({
    address,
    ssl,
    timeout,
    // Tried again by embedmill, which knows what is worth it.
    maxRetries: 0,
    logLevel: 'error',
    telemetry: { enabled: false },
    // Not the client's pings of every 10 s, which servers take for too many.
    channelOptions: { 'grpc.keepalive_time_ms': 60_000, 'grpc.keepalive_permit_without_calls': 0 },
    ...(token === undefined ? {} : { token }),
    ...(database === undefined ? {} : { database }),
    ...(tlsCa === undefined ? {} : { tls: { rootCertPath: tlsCa } }),
    // Nothing is sent until something is asked.
    __SKIP_CONNECT__: true,
  });
  const shown = `${ssl ? 'https' : 'http'}://${address}${database === undefined ? '' : `, database "${database}"`}`;
  const patience = { search: searchTimeout, other: timeout };
  return new MilvusStore(new MilvusConnection(client, DataType, shown, patience, onThrottled));
}

function urlParts(text: string): { address: string; ssl: boolean } {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    // Not shown: there may be a password in it.
    throw new EmbedmillError(
      'store_unavailable',
      'MILVUS_URL must be an http:// or https:// URL, such as http://127.0.0.1:19530',
    );
  }
  // `URL` forgets a port that is the protocol's own, but :443 is not 19530.
  const written = /^https?:\/\/(?:[^/@]*@)?(?:\[[^\]]*\]|[^/:]*):(\d+)/i.exec(text)?.[1];
  return { address: `${url.hostname}:${written ?? 19530}`, ssl: url.protocol === 'https:' };
}

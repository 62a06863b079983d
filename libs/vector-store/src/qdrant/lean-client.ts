import { QdrantClient, QdrantClientTimeoutError, type Schemas } from '@qdrant/js-client-rest';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { json, text } from 'node:stream/consumers';

export interface LeanClientOptions {
  /** The options of `QdrantClient`. */
  client: NonNullable<ConstructorParameters<typeof QdrantClient>[0]>;
  /** The API's address, without a trailing slash. */
  url: string;
  headers: Record<string, string>;
  /** Milliseconds. */
  timeout: number;
}

const MOST_CONNECTIONS = 25;

type Answer<T> = Promise<NonNullable<T>>;

/**
 * Replaces Qdrant's client for frequent requests: that client calls a function for every number it prints and every
 * value it reads, in order to support integers beyond doubles, which embedmill does not use.
 */
export class LeanClient extends QdrantClient {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #timeout: number;
  readonly #protocol: typeof http | typeof https;
  readonly #agent: http.Agent;

  constructor({ client, url, headers, timeout }: LeanClientOptions) {
    super(client);
    this.#url = url;
    this.#headers = { ...headers, 'content-type': 'application/json' };
    this.#timeout = timeout;
    this.#protocol = url.startsWith('https:') ? https : http;
    this.#agent = new this.#protocol.Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS });
  }

  /** Writes points; resolves once they are written. */
  async upsertBytes(name: string, body: Uint8Array): Promise<void> {
    await this.#send('PUT', `${encodeURIComponent(name)}/points?wait=true`, body);
  }

  override retrieve(name: string, wanted: Schemas['PointRequest']): Answer<Schemas['Record'][]> {
    return this.#ask(`${encodeURIComponent(name)}/points`, wanted);
  }

  override query(name: string, asked: Schemas['QueryRequest']): Answer<Schemas['QueryResponse']> {
    return this.#ask(`${encodeURIComponent(name)}/points/query`, asked);
  }

  override queryBatch(name: string, asked: Schemas['QueryRequestBatch']): Answer<Schemas['QueryResponse'][]> {
    return this.#ask(`${encodeURIComponent(name)}/points/query/batch`, asked);
  }

  override scroll(name: string, wanted: Schemas['ScrollRequest'] = {}): Answer<Schemas['ScrollResult']> {
    return this.#ask(`${encodeURIComponent(name)}/points/scroll`, wanted);
  }

  async #ask<T>(path: string, body: object): Promise<T> {
    const { result } = (await this.#send('POST', path, JSON.stringify(body))) as { result: T };
    return result;
  }

  /** @throws QdrantFailure for any response other than 200, and the client's own error after a timeout */
  async #send(method: 'POST' | 'PUT', path: string, body: string | Uint8Array): Promise<unknown> {
    const signal = AbortSignal.timeout(this.#timeout);
    try {
      const answer = await this.#answerTo(method, path, body, signal);
      if (answer.statusCode === 200) return await json(answer);
      throw new QdrantFailure(answer, await text(answer));
    } catch (thrown) {
      if (signal.aborted) throw new QdrantClientTimeoutError('no response in time');
      throw thrown;
    }
  }

  #answerTo(
    method: string,
    path: string,
    body: string | Uint8Array,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const headers = { ...this.#headers, 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      this.#protocol
        .request(`${this.#url}/collections/${path}`, { method, headers, signal, agent: this.#agent }, resolve)
        .on('error', reject)
        .end(body);
    });
  }
}

/** A failed response, in the form that `request` of qdrant-request.ts expects. */
class QdrantFailure extends Error {
  readonly status: number;
  readonly data: unknown;
  readonly retry_after: number | undefined;

  constructor({ statusCode = 0, headers }: IncomingMessage, body: string) {
    super(`status ${statusCode}`);
    this.status = statusCode;
    this.data = dataOf(body);
    const seconds = Number(headers['retry-after']);
    this.retry_after = statusCode === 429 && Number.isFinite(seconds) ? seconds : undefined;
  }
}

/** Qdrant's JSON, or the text of a proxy in front of it. */
function dataOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

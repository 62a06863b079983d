/**
 * A fake for tests: a server on loopback that answers like text-embeddings-inference 1.7 (`GET /info`, `POST /embed`)
 * or OpenAI (`POST /v1/embeddings`, `GET /v1/models`), with vectors that are a hash of the text.
 *
 * It checks each request against the published schemas (TEI's EmbedRequest, OpenAI's CreateEmbeddingRequest) and is
 * stricter than TEI, which ignores unknown fields: an invalid request is refused and recorded in `violations`, which
 * must be empty at a test's end. OpenAI's embeddings come in reverse order, because only their index identifies them.
 * `next`, `whim` and `unready` make it misbehave.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text as textOf } from 'node:stream/consumers';
import { fakeVector, refusalOf, replyTo, type Flavour } from './fake-contract.ts';

export { fakeVector };

/** The misbehaviour for a request for vectors. */
export type Misbehaviour =
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: unknown }
  /** No answer, ever. */
  | { kind: 'hang' }
  /** The correct answer, once the promise resolves. */
  | { kind: 'hold'; until: Promise<void> }
  /** The connection breaks: before the answer, or in the middle of it. */
  | { kind: 'reset'; when: 'before' | 'amid' }
  /** This many vectors too many, or too few. */
  | { kind: 'count'; more: number }
  /** Replaces the first number of the first vector in the JSON; vectors are not base64 then. */
  | { kind: 'number'; literal: string }
  /** 200, with this body. */
  | { kind: 'body'; body: string }
  /** A body that continues until nobody reads it. */
  | { kind: 'endless' };

export interface FakeOptions {
  flavour: Flavour;
  basePath?: string;
  /** The prefix of OpenAI's paths; Infinity serves them at the root. */
  prefix?: '/v1' | '';
  dims?: number;
  model?: string;
  apiKey?: string;
  /** Whether base64 is supported; some servers only return numbers. */
  knowsBase64?: boolean;
  /** The most items of a request. TEI states it in its info; default 32. OpenAI accepts 2048. */
  maxItems?: number;
  /** The status that refuses more items; by default that of the real servers, 413 for TEI and 400 for OpenAI. */
  refusal?: number;
}

export interface FakeRequest {
  path: string;
  authorization: string | undefined;
  /** Arrival and end of a request for vectors. */
  texts: string[] | undefined;
  body: unknown;
  /** On the clock of `performance.now()`. */
  at: number;
}

export class FakeUpstream {
  readonly options: Required<Omit<FakeOptions, 'apiKey'>> & Pick<FakeOptions, 'apiKey'>;
  readonly requests: FakeRequest[] = [];
  readonly violations: string[] = [];
  /** For the next requests for vectors, one each; `undefined` means a correct answer. */
  next: (Misbehaviour | undefined)[] = [];
  /** For requests with these texts, if `next` is empty. */
  whim: (texts: readonly string[]) => Misbehaviour | undefined = () => undefined;
  /** This many requests, of any kind, get 503 first. */
  unready = 0;
  /** Requests for vectors in progress, and their maximum so far. */
  underWay = 0;
  mostUnderWay = 0;
  /** Bytes of endless bodies that were read. */
  endlessBytes = 0;
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => response.destroy());
  });

  private constructor(options: FakeOptions) {
    const { flavour } = options;
    this.options = {
      basePath: '',
      prefix: '/v1',
      dims: 8,
      model: 'fake-model',
      knowsBase64: true,
      maxItems: flavour === 'tei' ? 32 : 2048,
      refusal: flavour === 'tei' ? 413 : 400,
      ...options,
    };
  }

  static async start(options: FakeOptions): Promise<FakeUpstream> {
    const fake = new FakeUpstream(options);
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.options.basePath}`;
  }

  /** The texts of each request for vectors so far. */
  get asked(): string[][] {
    return this.requests.flatMap(({ texts }) => (texts === undefined ? [] : [texts]));
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { options } = this;
    const raw = await textOf(request);
    const { authorization } = request.headers;
    const { pathname } = new URL(request.url ?? '/', 'http://fake');
    const path = pathname.startsWith(options.basePath) ? pathname.slice(options.basePath.length) : '';
    const body: unknown = raw === '' ? undefined : JSON.parse(raw);
    const seen: FakeRequest = { path, authorization, texts: undefined, body, at: performance.now() };
    this.requests.push(seen);
    if (options.apiKey !== undefined && authorization !== `Bearer ${options.apiKey}`) {
      // Like OpenAI, quotes the given key.
      return send(response, 401, {
        error: { message: `Incorrect API key provided: ${authorization ?? ''}.` },
      });
    }

    if (this.unready > 0) {
      this.unready -= 1;
      return send(response, 503, 'starting');
    }
    const asked = `${request.method} ${path}`;
    if (options.flavour === 'tei' && asked === 'GET /info') return send(response, 200, infoOf(options));
    if (options.flavour === 'openai' && asked === `GET ${options.prefix}/models`) {
      return send(response, 200, { object: 'list', data: [{ id: options.model, object: 'model' }] });
    }
    const embeds = options.flavour === 'tei' ? 'POST /embed' : `POST ${options.prefix}/embeddings`;
    if (asked !== embeds) return send(response, 404, { error: { message: `no ${asked} here` } });
    if (request.headers['content-type'] !== 'application/json') return send(response, 415, 'not JSON');
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    response.once('close', () => (this.underWay -= 1));
    await this.#embed(body, seen, response);
  }

  async #embed(body: unknown, seen: FakeRequest, response: ServerResponse): Promise<void> {
    const { options } = this;
    const refusal = refusalOf(options.flavour, body, options);
    if ('violation' in refusal) this.violations.push(refusal.violation);
    seen.texts = refusal.texts;
    const misbehaviour = this.next.length > 0 ? this.next.shift() : this.whim(refusal.texts ?? []);
    if (misbehaviour?.kind === 'hold') await misbehaviour.until;
    if (misbehaviour !== undefined && misbehaviour.kind !== 'hold') {
      return this.#misbehave(misbehaviour, refusal.texts ?? [], body, response);
    }
    if (refusal.status !== undefined) return send(response, refusal.status, refusal.answer);
    send(response, 200, replyTo(options.flavour, body, vectorsFor(refusal.texts, options.dims), options));
  }

  async #misbehave(
    misbehaviour: Exclude<Misbehaviour, { kind: 'hold' }>,
    texts: string[],
    body: unknown,
    response: ServerResponse,
  ): Promise<void> {
    const { flavour, dims } = this.options;
    switch (misbehaviour.kind) {
      case 'status':
        return send(response, misbehaviour.status, misbehaviour.body ?? '', misbehaviour.headers);
      case 'hang':
        return;
      case 'reset':
        if (misbehaviour.when === 'amid') {
          response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
          await new Promise((resolve) => response.write('[[0.5,', resolve));
        }
        response.socket?.resetAndDestroy();
        return;
      case 'count': {
        const wanted = Array.from(
          { length: texts.length + misbehaviour.more },
          (_, n) => texts[n] ?? `more ${n}`,
        );
        return send(response, 200, replyTo(flavour, body, vectorsFor(wanted, dims), this.options));
      }
      case 'number': {
        const [[, ...rest] = [], ...others] = vectorsFor(texts, dims);
        const options = { ...this.options, knowsBase64: false };
        const reply = JSON.stringify(replyTo(flavour, body, [[12345, ...rest], ...others], options));
        return send(response, 200, reply.replace('12345', misbehaviour.literal));
      }
      case 'body':
        return send(response, 200, misbehaviour.body);
      case 'endless': {
        response.writeHead(200, { 'content-type': 'application/json' });
        const body = Readable.from(this.#endless());
        await pipeline(body, response).catch(() => undefined);
        return;
      }
    }
  }

  *#endless(): Generator<string> {
    for (const numbers = '0.125,'.repeat(1000); ; this.endlessBytes += numbers.length) yield numbers;
  }
}

function vectorsFor(texts: readonly string[] = [], dims: number): number[][] {
  return texts.map((text) => [...fakeVector(text, dims)]);
}

function infoOf({ model, maxItems }: { model: string; maxItems: number }): unknown {
  return {
    model_id: model,
    model_sha: null,
    model_dtype: 'float32',
    model_type: { embedding: { pooling: 'mean' } },
    max_concurrent_requests: 512,
    max_input_length: 512,
    max_batch_tokens: 16_384,
    max_batch_requests: null,
    max_client_batch_size: maxItems,
    auto_truncate: false,
    tokenization_workers: 2,
    version: '1.7.1',
    sha: null,
    docker_label: null,
  };
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
}

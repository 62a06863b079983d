import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request, type Dispatcher } from 'undici';
import { EmbedmillError, type ErrorCode } from '@embedmill/jobs';
import { AddressRules } from './address-rules.ts';
import { ACCEPT_ENCODING, BodyEncoding, BodyTooLarge, boundedBody, type Pace } from './bounded-body.ts';
import { checkedConnector, ForbiddenAddress, systemResolve, type Resolve } from './checked-connection.ts';

export interface GuardedFetchOptions {
  /** Hosts, addresses and subnets that may be fetched from although they are not public. */
  readonly allow?: readonly string[] | undefined;
  /** Seconds without a byte after which a transfer is given up. */
  readonly idleSeconds?: number | undefined;
  /**
   * A transfer that is slower than this for `idleSeconds` is given up, so that an occasional byte does not keep it
   * alive.
   */
  readonly minBytesPerSecond?: number | undefined;
  readonly connectSeconds?: number | undefined;
  readonly resolve?: Resolve | undefined;
}

/** The catalogue's error codes for a fetch's failures, which depend on what is fetched. */
export interface FetchCodes {
  /** The address may not be fetched from. */
  readonly forbidden: ErrorCode;
  /** There is nothing there, or something of another type; a retry will not help. */
  readonly unreadable: ErrorCode;
  readonly tooLarge: ErrorCode;
  /** The server is unreachable or busy. */
  readonly unavailable: ErrorCode;
}

export interface FetchRequest {
  readonly codes: FetchCodes;
  /** The limit for the decoded body. */
  readonly maxBytes: number;
  /** Prefixes of accepted content types (`image/`); all by default. A generic or missing type is always accepted. */
  readonly types?: readonly string[] | undefined;
  /** For the whole transfer; by default, no limit as long as bytes arrive. */
  readonly totalSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PostRequest {
  readonly codes: FetchCodes;
  readonly headers: Readonly<Record<string, string>>;
  /** For the whole exchange. */
  readonly totalSeconds: number;
  readonly signal: AbortSignal;
}

export interface Fetched {
  /** The final URL, after redirects. */
  readonly url: string;
  readonly contentType: string | undefined;
  /** Of the body, if the server states it. */
  readonly expectedBytes: number | undefined;
  /** The body's etag, or its date with its length; undefined if the server states neither. */
  readonly version: string | undefined;
  /** Can be read once. */
  readonly body: AsyncGenerator<Uint8Array, void>;
}

const MAX_REDIRECTS = 5;
/** What servers send if they do not know a file's type. */
const UNTOLD_TYPES = ['application/octet-stream', 'binary/octet-stream'];

/**
 * Fetches URLs that came with users' documents. Such a URL must not reach what this machine can reach but its author
 * cannot (SSRF): only public addresses, and those explicitly allowed, are connected to, whatever names, notations and
 * redirects lead there. Proxies are not used.
 *
 * Bodies are bounded in bytes and, on request, in time. Connections are kept alive for the next fetch; `close` ends
 * them.
 */
export class GuardedFetch {
  readonly #agent: Agent;
  readonly #idleMs: number;
  readonly #pace: Pace | undefined;

  constructor(options: GuardedFetchOptions = {}) {
    const { allow = [], idleSeconds = 30, connectSeconds = 10, resolve = systemResolve } = options;
    const { minBytesPerSecond: slowest } = options;
    this.#idleMs = idleSeconds * 1000;
    this.#pace =
      slowest === undefined ? undefined : { bytes: slowest * idleSeconds, milliseconds: this.#idleMs };
    this.#agent = new Agent({
      connect: checkedConnector(new AddressRules(allow), resolve, connectSeconds * 1000),
      connections: 8,
      headersTimeout: this.#idleMs,
      bodyTimeout: this.#idleMs,
    });
  }

  /**
   * The response of an http(s) URL. Rejects with an error of `codes`, as does reading the body; with the signal's
   * reason if it aborts.
   */
  async open(url: string, asked: FetchRequest): Promise<Fetched> {
    const { signal, totalSeconds } = asked;
    const signals = [
      signal,
      totalSeconds === undefined ? undefined : AbortSignal.timeout(totalSeconds * 1000),
    ];
    const limits = AbortSignal.any(signals.filter((one) => one !== undefined));
    const failure = (thrown: unknown): unknown =>
      signal?.aborted === true ? signal.reason : asFailure(thrown, url, asked);
    try {
      const { response, url: found } = await this.#follow(url, limits, asked);
      const { headers, body } = response;
      const encoding = first(headers['content-encoding']);
      const length = encoding === undefined ? Number(first(headers['content-length']) ?? NaN) : NaN;
      const bounded = boundedBody(body, encoding, asked.maxBytes, this.#pace);
      try {
        assertWanted(response, found, asked);
        if (length > asked.maxBytes) throw new BodyTooLarge();
      } catch (thrown) {
        body.on('error', () => undefined).destroy();
        throw thrown;
      }
      return {
        url: found.href,
        contentType: first(headers['content-type']),
        expectedBytes: Number.isSafeInteger(length) ? length : undefined,
        version: versionOf(headers),
        body: renamed(bounded, failure),
      };
    } catch (thrown) {
      throw failure(thrown);
    }
  }

  /** The whole body that a URL serves; otherwise like `open`. */
  async bytes(url: string, asked: FetchRequest): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await this.open(url, asked)).body) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /**
   * Posts a body. Redirects are not followed, because the response must come from the given address. Rejects with
   * `codes.forbidden` or `codes.unavailable`; resolves for any status.
   */
  async post(
    url: string,
    body: string,
    { codes, headers, totalSeconds, signal }: PostRequest,
  ): Promise<{ status: number }> {
    const asked = { codes, maxBytes: 0, totalSeconds };
    const limits = AbortSignal.any([signal, AbortSignal.timeout(totalSeconds * 1000)]);
    try {
      const response = await request(checkedUrl(url, undefined, codes), {
        dispatcher: this.#agent,
        method: 'POST',
        signal: limits,
        headers: { ...headers, 'user-agent': 'embedmill' },
        body,
      });
      response.body.on('error', () => undefined).destroy();
      return { status: response.statusCode };
    } catch (thrown) {
      throw signal.aborted ? signal.reason : asFailure(thrown, url, asked);
    }
  }

  /** Ends what is in flight. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Each redirect is a new request, whose address is checked like the first. */
  async #follow(start: string, signal: AbortSignal, { codes, types = [] }: FetchRequest) {
    let url = checkedUrl(start, undefined, codes);
    for (let redirects = 0; ; redirects += 1) {
      const response = await request(url, {
        dispatcher: this.#agent,
        signal,
        headers: {
          accept:
            types.length === 0
              ? '*/*'
              : types.map((type) => (type.endsWith('/') ? `${type}*` : type)).join(', '),
          'accept-encoding': ACCEPT_ENCODING,
          'user-agent': 'embedmill',
        },
      });
      const location = first(response.headers.location);
      if (![301, 302, 303, 307, 308].includes(response.statusCode) || location === undefined) {
        return { response, url };
      }
      response.body.on('error', () => undefined).destroy();
      if (redirects === MAX_REDIRECTS) {
        throw new EmbedmillError(
          codes.unreadable,
          `${redacted(start)} is redirected more than ${MAX_REDIRECTS} times`,
        );
      }
      url = checkedUrl(location, url, codes);
    }
  }
}

function checkedUrl(text: string, base: URL | undefined, codes: FetchCodes): URL {
  const url = URL.parse(text, base?.href);
  if (url === null) throw new EmbedmillError(codes.unreadable, `${redacted(text)} is not valid`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new EmbedmillError(codes.forbidden, `only http and https are fetched, not ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') {
    const message = `${redacted(url.href)} contains a user name or password; leave them out`;
    throw new EmbedmillError(codes.forbidden, message);
  }
  if (base?.protocol === 'https:' && url.protocol !== 'https:') {
    const message = `${redacted(base.href)} redirects from https to ${redacted(url.href)}, which is unsafe`;
    throw new EmbedmillError(codes.forbidden, message);
  }
  return url;
}

function assertWanted(response: Dispatcher.ResponseData, url: URL, { codes, types }: FetchRequest): void {
  const { statusCode: status, headers } = response;
  if (status < 200 || status > 299) {
    const busy = status >= 500 || status === 408 || status === 425 || status === 429;
    const after = Number(first(headers['retry-after']) ?? NaN);
    throw new EmbedmillError(
      busy ? codes.unavailable : codes.unreadable,
      `${redacted(url.href)} responded with status ${status}`,
      Number.isFinite(after) ? { retryAfter: after } : {},
    );
  }
  const type = first(headers['content-type'])?.trim().toLowerCase();
  if (types === undefined || type === undefined) return;
  if (![...types, ...UNTOLD_TYPES].some((start) => type.startsWith(start))) {
    const message = `${redacted(url.href)} has the type ${JSON.stringify(type.slice(0, 100))}, not ${types.join(' or ')}`;
    throw new EmbedmillError(codes.unreadable, message);
  }
}

function asFailure(
  thrown: unknown,
  url: string,
  { codes, maxBytes, totalSeconds }: FetchRequest,
): EmbedmillError {
  if (thrown instanceof EmbedmillError) return thrown;
  const [code, why] =
    thrown instanceof ForbiddenAddress
      ? [
          codes.forbidden,
          `${thrown.message}; add the host to EMBEDMILL_FETCH_ALLOW, or move the content elsewhere`,
        ]
      : thrown instanceof BodyTooLarge
        ? [codes.tooLarge, `it has more than ${maxBytes} bytes`]
        : thrown instanceof BodyEncoding
          ? [codes.unreadable, thrown.message]
          : [codes.unavailable, reasonOf(thrown, totalSeconds)];
  return new EmbedmillError(code, `cannot fetch ${redacted(url)}: ${why}`, { cause: thrown });
}

function reasonOf(thrown: unknown, totalSeconds: number | undefined): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown.name === 'TimeoutError' && totalSeconds !== undefined)
    return `it took longer than ${totalSeconds} s`;
  return thrown.message === '' && 'code' in thrown ? String(thrown.code) : thrown.message;
}

async function* renamed(
  body: AsyncGenerator<Uint8Array, void>,
  failure: (thrown: unknown) => unknown,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } catch (thrown) {
    throw failure(thrown);
  }
}

function versionOf(headers: IncomingHttpHeaders): string | undefined {
  const [etag, modified, length] = ['etag', 'last-modified', 'content-length'].map((name) =>
    first(headers[name]),
  );
  if (etag !== undefined) return etag;
  return modified === undefined ? undefined : `${modified} ${length ?? ''}`;
}

function first(header: IncomingHttpHeaders[string]): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** A URL without the parts that may be secret. */
function redacted(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'the URL' : `${parsed.origin}${parsed.pathname}`;
}

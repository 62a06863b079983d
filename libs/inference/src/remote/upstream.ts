import { EmbedmillError } from '@embedmill/jobs';
import { adviceFor, failureOfThrown, kindOfStatus, UpstreamFailure } from './failure.ts';

/** One attempt of a request: its time limit, and a signal for when nobody waits for its answer any more. */
export interface Attempt {
  timeoutMs: number;
  signal: AbortSignal;
}

/** The bytes read of an error's body, and the characters of its text that are passed on. */
const ERROR_BYTES = 64 * 1024;
const WORDS = 300;

/** A server with a JSON API over HTTP. Its only state is the address and the key, which is never shown. */
export class Upstream {
  /** Origin and base path, without a slash at the end. */
  readonly #base: string;
  /** The URL's query, which some gateways require; may be secret, so it is not shown either. */
  readonly #search: string;
  readonly #apiKey: string | undefined;

  /** `url` may have a base path, and end in `/`, in `/v1` or in neither. Throws `invalid_config`. */
  constructor(url: string, apiKey: string | undefined) {
    const { origin, pathname, search } = usable(url);
    this.#base = origin + pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
    this.#search = search;
    if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
      const message =
        'the upstream’s key is empty, or has spaces or characters that are not allowed in headers';
      throw new EmbedmillError('invalid_config', message);
    }
    this.#apiKey = apiKey;
  }

  /** The address of a path, for messages. */
  at(path: string): string {
    return this.#base + path;
  }

  /**
   * The upstream's JSON answer to a POST if there is a body, else to a GET. Throws `UpstreamFailure`, or the signal's
   * reason if it aborts. An answer is abandoned once it exceeds `maxBytes`.
   */
  async ask(
    path: string,
    { body, maxBytes }: { body?: unknown; maxBytes: number },
    { timeoutMs, signal }: Attempt,
  ): Promise<unknown> {
    signal.throwIfAborted();
    const at = this.at(path);
    const attempt = new AbortController();
    const stop = () => attempt.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    const late = new UpstreamFailure(
      'slow',
      `${at} did not respond completely within ${Math.ceil(timeoutMs)} ms`,
    );
    const timer = setTimeout(() => attempt.abort(late), timeoutMs);
    try {
      const response = await fetch(at + this.#search, {
        method: body === undefined ? 'GET' : 'POST',
        headers: this.#headers(body !== undefined),
        body: body === undefined ? null : JSON.stringify(body),
        // Followed, a redirect would turn the POST into a GET, and might take texts and key to another host.
        redirect: 'manual',
        signal: attempt.signal,
      });
      if (!response.ok) throw await this.#failureOf(response, at);
      return parsed(await read(response, maxBytes, at), at);
    } catch (thrown) {
      attempt.signal.throwIfAborted();
      throw thrown instanceof UpstreamFailure ? thrown : failureOfThrown(thrown, at);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  #headers(hasBody: boolean): Record<string, string> {
    return {
      accept: 'application/json',
      // Vectors hardly compress, and the limit applies to the bytes on the wire.
      'accept-encoding': 'identity',
      'user-agent': 'embedmill',
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
      ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
    };
  }

  async #failureOf(response: Response, at: string): Promise<UpstreamFailure> {
    const { status, headers } = response;
    const kind = kindOfStatus(status);
    // Truncated last, because half a key would not be recognised.
    const words = this.#withoutKey(wordsIn(await readStart(response))).slice(0, WORDS);
    const location = headers.get('location');
    const advice = this.#withoutKey(adviceFor(kind, this.#apiKey !== undefined, location));
    const said = words === '' ? '' : `: ${words}`;
    return new UpstreamFailure(kind, `${at} answers ${status}${said}${advice}`, {
      status,
      retryAfter: secondsIn(headers.get('retry-after')),
    });
  }

  /** Removes the key, because servers that refuse a key often repeat it. */
  #withoutKey(words: string): string {
    return this.#apiKey === undefined ? words : words.replaceAll(this.#apiKey, '[the key]');
  }
}

function usable(url: string): URL {
  const wrong = (what: string) =>
    new EmbedmillError('invalid_config', `the upstream’s URL ${what}; use one such as http://127.0.0.1:8080`);
  const parsed = URL.parse(url);
  if (parsed === null) throw wrong('is none');
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw wrong(`has the scheme ${parsed.protocol}, but only http: and https: are supported`);
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw wrong('contains a user name or password, but only a key is supported');
  }
  return parsed;
}

async function read(response: Response, maxBytes: number, at: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      const message = `${at} sent more than ${maxBytes} bytes, too many for these vectors`;
      throw new UpstreamFailure('garbled', message);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The beginning of an error's body; empty if it cannot be read, because the status says enough. */
async function readStart(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= ERROR_BYTES) break;
    }
  } catch {
    return '';
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the answer, which may contain anything.
    throw new UpstreamFailure('garbled', `${at} responded with something that is not JSON`);
  }
}

/** An error's text in one line: TEI, OpenAI, FastAPI and RFC 9457 each have their own field for it. */
function wordsIn(body: string): string {
  let words: unknown = body;
  try {
    const said = JSON.parse(body) as { error?: unknown; message?: unknown; detail?: unknown } | null;
    const inner = (said?.error as { message?: unknown } | null | undefined)?.message;
    words = inner ?? said?.error ?? said?.message ?? said?.detail ?? body;
  } catch {
    // Not JSON: a proxy's page, or TEI's plain text.
  }
  const text = typeof words === 'string' ? words : JSON.stringify(words);
  return text.replace(/\s+/g, ' ').trim();
}

function secondsIn(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined;
  const seconds = /^\d+$/.test(retryAfter)
    ? Number(retryAfter)
    : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

import { createClient, type Client } from '@embedmill/client';
import type { Session } from './session.ts';

/** embedmill's API, called with the session's key. `client` does not retry; pages can do so themselves. */
export class Server {
  readonly client: Client;
  readonly session: Session;
  readonly #base: URL;

  /** `base` is the root of the API's addresses: `https://host/prefix/`. */
  constructor(base: URL, session: Session) {
    this.#base = base;
    this.session = session;
    this.client = createClient({
      url: base.href,
      pausesMs: [],
      fetch: (request) => this.#fetch(request),
    });
  }

  url(path: string): URL {
    return new URL(path.replace(/^\//, ''), this.#base);
  }

  async #fetch(request: Request): Promise<Response> {
    const { key } = this.session.state;
    if (key !== undefined) request.headers.set('authorization', `Bearer ${key}`);
    const response = await fetch(request);
    if (response.status === 401) this.session.refuse(key);
    return response;
  }
}

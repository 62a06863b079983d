import type { CallOptions, Connection } from './connection.ts';
import type { Key, NewKey } from './schemas.ts';

/** API keys, for administrators. */
export class Keys {
  readonly #server: Connection;

  constructor(server: Connection) {
    this.#server = server;
  }

  async list(options: CallOptions = {}): Promise<Key[]> {
    return (await this.#server.read((api, init) => api.GET('/api/v1/keys', init), options)).keys;
  }

  /** Creates a key: `key` is the secret, which is shown only once. Errors: `forbidden`, `invalid_request`. */
  create(wanted: NewKey, options: CallOptions = {}): Promise<{ key: string; entry: Key }> {
    const body = wanted as never;
    return this.#server.ask((api, init) => api.POST('/api/v1/keys', { ...init, body }), options);
  }

  /** Revokes a key that was created like this. Errors: `not_found`, `forbidden`. */
  async revoke(id: string, options: CallOptions = {}): Promise<void> {
    const params = { path: { id } };
    await this.#server.ask((api, init) => api.DELETE('/api/v1/keys/{id}', { ...init, params }), options);
  }
}

import type { CallOptions, Connection } from './connection.ts';
import type { Alias } from './schemas.ts';

/** Aliases: names for collections that can be moved in one step. */
export class Aliases {
  readonly #server: Connection;

  constructor(connection: Connection) {
    this.#server = connection;
  }

  async list(options: CallOptions = {}): Promise<Alias[]> {
    const { aliases } = await this.#server.read((api, init) => api.GET('/api/v1/aliases', init), options);
    return aliases;
  }

  /** Points the alias to this collection, whether or not it exists. */
  move(name: string, collection: string, options: CallOptions = {}): Promise<Alias> {
    const params = { path: { name } };
    return this.#server.read(
      (api, init) => api.PUT('/api/v1/aliases/{name}', { ...init, params, body: { collection } }),
      options,
    );
  }

  async remove(name: string, options: CallOptions = {}): Promise<void> {
    const params = { path: { name } };
    await this.#server.read(
      (api, init) => api.DELETE('/api/v1/aliases/{name}', { ...init, params }),
      options,
    );
  }
}

import type { CallOptions, Connection } from './connection.ts';
import type { Schemas, Source, WatchedSource } from './schemas.ts';

/** Sources on the server that it checks on a schedule and submits when they change. */
export class Sources {
  readonly #server: Connection;

  constructor(server: Connection) {
    this.#server = server;
  }

  /** Watches a source, or changes its settings. */
  watch(collection: string, name: string, source: WatchedSource, options: CallOptions = {}): Promise<Source> {
    const params = { path: { name: collection, id: name } };
    const body = source as Schemas['WatchedSourceInput'];
    return this.#server.read(
      (api, init) => api.PUT('/api/v1/collections/{name}/sources/{id}', { ...init, params, body }),
      options,
    );
  }

  async list(collection: string, options: CallOptions = {}): Promise<Source[]> {
    const params = { path: { name: collection } };
    const { sources } = await this.#server.read(
      (api, init) => api.GET('/api/v1/collections/{name}/sources', { ...init, params }),
      options,
    );
    return sources;
  }

  get(collection: string, name: string, options: CallOptions = {}): Promise<Source> {
    const params = { path: { name: collection, id: name } };
    return this.#server.read(
      (api, init) => api.GET('/api/v1/collections/{name}/sources/{id}', { ...init, params }),
      options,
    );
  }

  /** Checks a source now. */
  run(collection: string, name: string, options: CallOptions = {}): Promise<Source> {
    const params = { path: { name: collection, id: name } };
    return this.#server.read(
      (api, init) => api.POST('/api/v1/collections/{name}/sources/{id}/run', { ...init, params }),
      options,
    );
  }

  /** Stops watching a source; its stored documents are kept. */
  async remove(collection: string, name: string, options: CallOptions = {}): Promise<void> {
    const params = { path: { name: collection, id: name } };
    await this.#server.ask(
      (api, init) => api.DELETE('/api/v1/collections/{name}/sources/{id}', { ...init, params }),
      options,
    );
  }
}

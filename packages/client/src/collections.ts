import type { CallOptions, Connection } from './connection.ts';
import type { Collection, CountedCollection, FieldReport, Profile, Schemas } from './schemas.ts';

/** Named sets of vectors with a profile. */
export class Collections {
  readonly #server: Connection;

  constructor(connection: Connection) {
    this.#server = connection;
  }

  /** Creates a collection, or returns the existing one with the same profile. Errors: `collection_exists` for a different profile, `invalid_profile`. */
  create(name: string, profile: Profile = {}, options: CallOptions = {}): Promise<Collection> {
    const body = { name, profile: profile as Schemas['ProfileInput'] };
    return this.#server.read((api, init) => api.POST('/api/v1/collections', { ...init, body }), options);
  }

  async list(options: CallOptions = {}): Promise<Collection[]> {
    const { collections } = await this.#server.read(
      (api, init) => api.GET('/api/v1/collections', init),
      options,
    );
    return collections;
  }

  get(name: string, options: CallOptions = {}): Promise<CountedCollection> {
    const params = { path: { name } };
    return this.#server.read(
      (api, init) => api.GET('/api/v1/collections/{name}', { ...init, params }),
      options,
    );
  }

  /** Deletes a collection with all its vectors, and cancels its jobs. */
  async delete(name: string, options: CallOptions = {}): Promise<void> {
    const params = { path: { name } };
    await this.#server.ask(
      (api, init) => api.DELETE('/api/v1/collections/{name}', { ...init, params }),
      options,
    );
  }

  /**
   * Makes a metadata field filterable. Polls, because the server responds before it has finished; `onProgress` receives the
   * number of checked points.
   */
  async addField(
    name: string,
    field: string,
    type: Schemas['Profile']['filterable'][string],
    { onProgress, ...options }: CallOptions & { onProgress?: (points: number, of: number) => void } = {},
  ): Promise<FieldReport> {
    const params = { path: { name } };
    for (;;) {
      const answer = await this.#server.read(
        (api, init) =>
          api.POST('/api/v1/collections/{name}/filterable', {
            ...init,
            params,
            body: { field, type },
          }),
        options,
      );
      if ('values' in answer) return answer;
      onProgress?.(answer.points, answer.of);
    }
  }
}

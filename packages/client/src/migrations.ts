import type { CallOptions, Connection } from './connection.ts';
import type { BodyOf, Collection, Input, Job } from './schemas.ts';

/** What a migration goes to: another model's vectors, or a second collection with another profile. */
export type MigrationTarget = Input<BodyOf<'/api/v1/collections/{name}/migration'>>;

/** Collections that go over to another model, or to another way to cut and weigh. */
export class Migrations {
  readonly #server: Connection;

  constructor(connection: Connection) {
    this.#server = connection;
  }

  /** Begins: a job adds a second dense vector, or fills a second collection. */
  async begin(collection: string, to: MigrationTarget, options: CallOptions = {}): Promise<Job> {
    const params = { path: { name: collection } };
    const { job } = await this.#server.ask(
      (api, init) =>
        api.POST('/api/v1/collections/{name}/migration', {
          ...init,
          params,
          body: to as never,
        }),
      options,
    );
    return job;
  }

  /** Searches use the other vector, or collection, from now on. */
  exchange(collection: string, options: CallOptions = {}): Promise<Collection> {
    const params = { path: { name: collection } };
    return this.#server.ask(
      (api, init) => api.POST('/api/v1/collections/{name}/migration/exchange', { ...init, params }),
      options,
    );
  }

  /** Deletes the vector, or the collection, that searches do not use. */
  end(collection: string, options: CallOptions = {}): Promise<Collection> {
    const params = { path: { name: collection } };
    return this.#server.ask(
      (api, init) => api.DELETE('/api/v1/collections/{name}/migration', { ...init, params }),
      options,
    );
  }
}

import type { CallOptions, Connection } from './connection.ts';
import type { BodyOf, Collection, Input, Job } from './schemas.ts';

/** The target of a migration: another model's vectors, or a second collection with another profile. */
export type MigrationTarget = Input<BodyOf<'/api/v1/collections/{name}/migration'>>;

/** Migrations of collections to another model, or to other chunks and weights. */
export class Migrations {
  readonly #server: Connection;

  constructor(connection: Connection) {
    this.#server = connection;
  }

  /** Begins a migration: a job adds a second dense vector, or fills a second collection. */
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

  /** Switches searches to the other vector or collection. */
  exchange(collection: string, options: CallOptions = {}): Promise<Collection> {
    const params = { path: { name: collection } };
    return this.#server.ask(
      (api, init) => api.POST('/api/v1/collections/{name}/migration/exchange', { ...init, params }),
      options,
    );
  }

  /** Ends the migration: deletes the vector or collection that searches do not use. */
  end(collection: string, options: CallOptions = {}): Promise<Collection> {
    const params = { path: { name: collection } };
    return this.#server.ask(
      (api, init) => api.DELETE('/api/v1/collections/{name}/migration', { ...init, params }),
      options,
    );
  }
}

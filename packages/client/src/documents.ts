import type { CallOptions, Connection } from './connection.ts';
import type { Filter, Input, Job, JobOptions, Point, Schemas, StoredDocument } from './schemas.ts';

/** The documents: by ids (at most 10,000) or by a filter. */
export type DocumentSelection = (
  { ids: readonly string[]; filter?: undefined } | { ids?: undefined; filter: Filter }
) & { tenant?: string | undefined };

type DeletionOptions = CallOptions &
  Pick<JobOptions, 'priority' | 'webhook'> & { idempotencyKey?: string | undefined };

/** The stored documents. */
export class Documents {
  readonly #server: Connection;

  constructor(connection: Connection) {
    this.#server = connection;
  }

  /** Errors: `document_not_found`. */
  get(
    collection: string,
    id: string,
    { tenant, from, ...options }: CallOptions & { tenant?: string | undefined; from?: number } = {},
  ): Promise<StoredDocument> {
    const query = { ...(tenant !== undefined && { tenant }), ...(from !== undefined && { from }) };
    const params = { path: { name: collection, id }, query };
    return this.#server.read(
      (api, init) => api.GET('/api/v1/collections/{name}/documents/{id}', { ...init, params }),
      options,
    );
  }

  /** Deletes a document immediately. Errors: `document_not_found`. */
  async remove(
    collection: string,
    id: string,
    { tenant, ...options }: CallOptions & { tenant?: string | undefined } = {},
  ): Promise<void> {
    const params = { path: { name: collection, id }, query: { ...(tenant !== undefined && { tenant }) } };
    await this.#server.ask(
      (api, init) => api.DELETE('/api/v1/collections/{name}/documents/{id}', { ...init, params }),
      options,
    );
  }

  /** Deletes documents as a job, at its place in the order of submissions. */
  delete(
    collection: string,
    selection: DocumentSelection,
    { idempotencyKey = crypto.randomUUID(), priority, webhook, signal }: DeletionOptions = {},
  ): Promise<Job> {
    const said = { ...selection, priority, webhook };
    return this.#deletion(collection, said, { idempotencyKey, signal }) as Promise<Job>;
  }

  /** The number of documents that `delete` would delete now. */
  async count(collection: string, selection: DocumentSelection, options: CallOptions = {}): Promise<number> {
    return (await this.#deletion(collection, { ...selection, dryRun: true }, options)).documents;
  }

  /** All points with their dense vectors, page by page. */
  async *points(
    collection: string,
    { signal, ...query }: CallOptions & { limit?: number; tenant?: string } = {},
  ): AsyncGenerator<Point> {
    let after: { after?: string } | undefined = {};
    while (after !== undefined) {
      const params = { path: { name: collection }, query: { ...query, ...after } };
      const page: Schemas['StoredPoints'] = await this.#server.read(
        (api, init) => api.GET('/api/v1/collections/{name}/points', { ...init, params }),
        { signal },
      );
      yield* page.points;
      after = page.next === null ? undefined : { after: page.next };
    }
  }

  /** With a key it is idempotent, and a count changes nothing. */
  #deletion(
    collection: string,
    said: DocumentSelection & Omit<Input<Schemas['DeletionInput']>, 'ids' | 'filter' | 'tenant'>,
    { idempotencyKey, ...options }: CallOptions & { idempotencyKey?: string },
  ): Promise<{ documents: number }> {
    const header = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    const params = { path: { name: collection }, header };
    return this.#server.read(
      (api, init) =>
        api.POST('/api/v1/collections/{name}/documents/delete', {
          ...init,
          params,
          body: said as object,
        }),
      options,
    );
  }
}

import type { CallOptions, Connection } from './connection.ts';
import type { QueryOf, UsageReport } from './schemas.ts';

/** The days, and the dimensions to group by: day, key, tenant, collection and model, separated by commas. */
export type UsageQuery = Omit<QueryOf<'/api/v1/usage'>, 'format'>;

/** Reports of what was embedded, and by whom. */
export class Usage {
  readonly #server: Connection;

  constructor(server: Connection) {
    this.#server = server;
  }

  report({ signal, ...query }: UsageQuery & CallOptions = {}): Promise<UsageReport> {
    const params = { query: query as object };
    return this.#server.read((api, init) => api.GET('/api/v1/usage', { ...init, params }), { signal });
  }

  csv({ signal, ...query }: UsageQuery & CallOptions = {}): Promise<string> {
    const params = { query: { ...(query as object), format: 'csv' as const } };
    return this.#server.read((api, init) => api.GET('/api/v1/usage', { ...init, params, parseAs: 'text' }), {
      signal,
    });
  }
}

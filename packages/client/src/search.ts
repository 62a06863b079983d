import type { CallOptions, Connection } from './connection.ts';
import type {
  NearDuplicates,
  NearDuplicatesRequest,
  RecommendRequest,
  Schemas,
  SearchRequest,
} from './schemas.ts';

/** Searches for the chunks that answer a query. */
export function search(
  server: Connection,
  collection: string,
  request: SearchRequest,
  options: CallOptions,
): Promise<Schemas['SearchResponse']> {
  const params = { path: { name: collection } };
  const body = request as Schemas['SearchRequestInput'];
  return server.read(
    (api, init) => api.POST('/api/v1/collections/{name}/search', { ...init, params, body }),
    options,
  );
}

/** Finds chunks that resemble some examples and not others. */
export function recommend(
  server: Connection,
  collection: string,
  request: RecommendRequest,
  options: CallOptions,
): Promise<Schemas['SearchResponse']> {
  const params = { path: { name: collection } };
  const body = request as Schemas['RecommendRequestInput'];
  return server.read(
    (api, init) => api.POST('/api/v1/collections/{name}/recommend', { ...init, params, body }),
    options,
  );
}

/** A page of near-duplicate documents. */
export function nearDuplicates(
  server: Connection,
  collection: string,
  request: NearDuplicatesRequest,
  options: CallOptions,
): Promise<NearDuplicates> {
  const params = { path: { name: collection } };
  const body = request as Schemas['NearDuplicatesRequestInput'];
  return server.read(
    (api, init) => api.POST('/api/v1/collections/{name}/near-duplicates', { ...init, params, body }),
    options,
  );
}

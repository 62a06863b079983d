import type { CallOptions, Connection } from './connection.ts';
import type {
  NearDuplicates,
  NearDuplicatesRequest,
  RecommendRequest,
  Schemas,
  SearchRequest,
} from './schemas.ts';

/** The chunks that answer a question. */
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

/** The chunks that are like some examples and unlike others. */
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

/** A page of the documents that say nearly the same. */
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

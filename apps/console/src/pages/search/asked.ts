import type { RecommendRequest, SearchRequest } from '@embedmill/client';
import type { Collection, Filter } from '../../server/shapes.ts';

export type Mode = 'dense' | 'sparse' | 'hybrid';
export type Rerank = 'none' | 'late';
export type FusionMethod = 'dbsf' | 'rrf';

/** An example that hits should be like, or unlike. */
export type Example = { readonly id: string } | { readonly text: string };

/** The state of the search form. */
export interface Asked {
  readonly collection: string;
  readonly query: string;
  /** An image as a data URI, instead of the query. */
  readonly image?: string | undefined;
  readonly positive: readonly Example[];
  readonly negative: readonly Example[];
  readonly rerank: Rerank;
  readonly fusion: FusionMethod;
  readonly group: boolean;
  readonly limit: number;
  readonly filter: Filter | undefined;
}

/** The modes that a collection supports. */
export function modesOf({ profile }: Pick<Collection, 'profile'>): readonly Mode[] {
  return Object.keys(profile.sparse).length === 0 ? ['dense'] : ['hybrid', 'dense', 'sparse'];
}

/** Whether there is anything to search for. */
export function isWhole({ query, image, positive }: Asked): boolean {
  return query.trim() !== '' || image !== undefined || positive.length > 0;
}

export function isByExample({ positive }: Asked): boolean {
  return positive.length > 0;
}

/** A method of the client with its arguments; the API's route has the same name. */
export type ApiRequest =
  | { readonly verb: 'search'; readonly collection: string; readonly body: SearchRequest }
  | { readonly verb: 'recommend'; readonly collection: string; readonly body: RecommendRequest };

/** The request to the API, without what equals its defaults. */
export function requestOf(asked: Asked, mode: Mode): ApiRequest {
  const { collection, query, image, positive, negative, rerank, fusion, group, limit, filter } = asked;
  const selection = { limit, ...(group && { group }), ...(filter !== undefined && { filter }) };
  if (isByExample(asked)) {
    return {
      verb: 'recommend',
      collection,
      body: {
        positive: [...positive],
        ...(negative.length > 0 && { negative: [...negative] }),
        ...selection,
      },
    };
  }
  if (image !== undefined)
    return { verb: 'search', collection, body: { image, mode: 'dense', ...selection } };
  return {
    verb: 'search',
    collection,
    body: {
      query: query.trim(),
      mode,
      ...(mode === 'hybrid' && fusion === 'rrf' && { fusion: { method: fusion } }),
      ...(rerank === 'late' && { rerank: true }),
      ...selection,
      highlight: true,
      explain: true,
    },
  };
}

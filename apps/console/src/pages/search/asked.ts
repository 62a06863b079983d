import type { RecommendRequest, SearchRequest } from '@embedmill/client';
import type { Collection, Filter } from '../../server/shapes.ts';

export type Mode = 'dense' | 'sparse' | 'hybrid';
export type Rerank = 'none' | 'late';
export type FusionMethod = 'dbsf' | 'rrf';

/** Something that hits should be like, or unlike. */
export type Example = { readonly id: string } | { readonly text: string };

/** What is looked for, and how. */
export interface Asked {
  readonly collection: string;
  readonly query: string;
  /** A picture as a data URI, in place of the query. */
  readonly image?: string | undefined;
  readonly positive: readonly Example[];
  readonly negative: readonly Example[];
  readonly rerank: Rerank;
  readonly fusion: FusionMethod;
  readonly group: boolean;
  readonly limit: number;
  readonly filter: Filter | undefined;
}

/** The modes that a collection can be searched in. */
export function modesOf({ profile }: Pick<Collection, 'profile'>): readonly Mode[] {
  return Object.keys(profile.sparse).length === 0 ? ['dense'] : ['hybrid', 'dense', 'sparse'];
}

/** Whether there is anything to look for. */
export function isWhole({ query, image, positive }: Asked): boolean {
  return query.trim() !== '' || image !== undefined || positive.length > 0;
}

/** Whether it is looked for by example. */
export function isByExample({ positive }: Asked): boolean {
  return positive.length > 0;
}

/** A verb of the client with what it takes; of the API it is the same. */
export type ApiRequest =
  | { readonly verb: 'search'; readonly collection: string; readonly body: SearchRequest }
  | { readonly verb: 'recommend'; readonly collection: string; readonly body: RecommendRequest };

/** What the API is asked. What it does by itself is left out. */
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

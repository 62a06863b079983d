import type { AliasView, CollectionView, ModelView } from '../../server/shapes.ts';
import { useLoaded, type Loaded } from '../../server/use-server.ts';

export interface Collections {
  readonly collections: readonly CollectionView[];
  readonly aliases: readonly AliasView[];
}

/** The collections that the caller can see, and their aliases. */
export function useCollections(): Loaded<Collections> {
  return useLoaded('collections and aliases', async (client, options) => {
    const [collections, aliases] = await Promise.all([
      client.collections.list(options),
      client.aliases.list(options),
    ]);
    return { collections: collections.toSorted((a, b) => a.name.localeCompare(b.name)), aliases };
  });
}

export function useModels(): Loaded<readonly ModelView[]> {
  return useLoaded('models', (client, options) => client.models(options));
}

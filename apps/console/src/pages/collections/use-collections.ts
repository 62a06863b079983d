import type { AliasView, CollectionView, ModelView } from '../../server/shapes.ts';
import { useLoaded, type Loaded } from '../../server/use-server.ts';

export interface Collections {
  readonly collections: readonly CollectionView[];
  readonly aliases: readonly AliasView[];
}

/** The collections that there are for whoever asks, and the names that stand for them. */
export function useCollections(): Loaded<Collections> {
  return useLoaded('collections and aliases', async (server, signal) => {
    const [{ collections }, { aliases }] = await Promise.all([
      server.get<{ collections: CollectionView[] }>('api/v1/collections', signal),
      server.get<{ aliases: AliasView[] }>('api/v1/aliases', signal),
    ]);
    return { collections: collections.toSorted((a, b) => a.name.localeCompare(b.name)), aliases };
  });
}

export function useModels(): Loaded<readonly ModelView[]> {
  return useLoaded('models', async (server, signal) => {
    return (await server.get<{ models: ModelView[] }>('api/v1/models', signal)).models;
  });
}

import type { CollectionName } from '@embedmill/jobs';
import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import type { Alias } from '../store.ts';

/** Qdrant's own aliases, by name; also those of collections that are not embedmill's. */
export function aliasesOf({ aliases }: Schemas['CollectionsAliasesResponse']): Alias[] {
  return aliases
    .map(({ alias_name, collection_name }) => ({
      name: alias_name as CollectionName,
      collection: collection_name as CollectionName,
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** One request, so that there is no moment without the alias. Qdrant takes a deletion of an alias that is not there. */
export async function moveAlias(
  client: QdrantClient,
  name: CollectionName,
  collection: CollectionName | null,
): Promise<void> {
  const removal = { delete_alias: { alias_name: name } };
  const creation = { create_alias: { alias_name: name, collection_name: collection ?? '' } };
  await client.updateCollectionAliases({ actions: collection === null ? [removal] : [removal, creation] });
}

import type { CollectionName } from '@embedmill/jobs';
import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import type { Alias } from '../store.ts';

/** Qdrant's own aliases by name, including those of other programs' collections. */
export function aliasesOf({ aliases }: Schemas['CollectionsAliasesResponse']): Alias[] {
  return aliases
    .map(({ alias_name, collection_name }) => ({
      name: alias_name as CollectionName,
      collection: collection_name as CollectionName,
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** A single request, so that the alias always exists. Qdrant accepts the deletion of a missing alias. */
export async function moveAlias(
  client: QdrantClient,
  name: CollectionName,
  collection: CollectionName | null,
): Promise<void> {
  const removal = { delete_alias: { alias_name: name } };
  const creation = { create_alias: { alias_name: name, collection_name: collection ?? '' } };
  await client.updateCollectionAliases({ actions: collection === null ? [removal] : [removal, creation] });
}

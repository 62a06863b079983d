import { collectionSchema, type Collection, type FilterableType } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { VECTOR } from './qdrant-points.ts';

/** The key of a Qdrant collection's metadata that holds ours; a collection without it is somebody else's. */
const METADATA_KEY = 'embedmill';

export function creationOf(collection: Collection) {
  return {
    vectors: { [VECTOR]: { size: collection.dims, distance: 'Cosine' as const } },
    metadata: { [METADATA_KEY]: JSON.parse(JSON.stringify(collection)) as Record<string, unknown> },
  };
}

/** The collection that a Qdrant collection holds, or undefined when it is not one of ours. */
export function collectionOf(name: string, info: Schemas['CollectionInfo']): Collection | undefined {
  const metadata: unknown = info.config.metadata;
  const ours = (metadata as Record<string, unknown> | null | undefined)?.[METADATA_KEY];
  const parsed = collectionSchema.safeParse(ours);
  // Of an alias, the name differs.
  return parsed.success && parsed.data.name === name ? parsed.data : undefined;
}

/** The payload fields that Qdrant should index: what is filtered by. */
export function payloadIndexes(
  collection: Collection,
): { field: string; schema: Schemas['PayloadFieldSchema'] }[] {
  return [
    { field: 'document_id', schema: 'keyword' },
    { field: 'tenant', schema: { type: 'keyword', is_tenant: true } },
    { field: 'chunk_index', schema: 'integer' },
    { field: 'chunk_count', schema: 'integer' },
    ...Object.entries(collection.profile.filterable).map(([field, type]) => ({
      field: `metadata.${field}`,
      schema: indexType(type),
    })),
  ];
}

function indexType(type: FilterableType): Schemas['PayloadSchemaType'] {
  switch (type) {
    case 'keyword':
    case 'integer':
    case 'float':
    case 'datetime':
      return type;
    case 'boolean':
      return 'bool';
  }
}

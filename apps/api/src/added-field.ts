import {
  filterableFieldSchema,
  filterableTypeSchema,
  jsonSchema,
  type CollectionName,
  type FilterableType,
  type PointId,
} from '@embedmill/jobs';
import { misfitAt, type VectorStore } from '@embedmill/vector-store';
import { z } from 'zod';
import { collectionView, collectionViewSchema, requireByOwnName } from './collection.ts';

export const addedFieldSchema = z.strictObject({
  field: filterableFieldSchema.meta({
    description: 'The field of metadata; `author.name` is one of an object.',
  }),
  type: filterableTypeSchema,
});

export const fieldReportSchema = z
  .strictObject({
    collection: collectionViewSchema,
    values: z.int().meta({ description: 'Documents that have a value there.' }),
    misfits: z
      .int()
      .meta({ description: 'Documents whose value is of another type: filters do not find them by it.' }),
    examples: z
      .array(z.strictObject({ id: z.string(), tenant: z.string(), value: jsonSchema }))
      .meta({ description: 'Of the misfits, the first 100.' }),
  })
  .meta({ id: 'FieldReport' });
export type FieldReport = z.infer<typeof fieldReportSchema>;

const PAGE = 1000;
const MOST_EXAMPLES = 100;

/**
 * Makes a field of a living collection filterable, then looks through what is stored for values of another type. Documents
 * that are submitted from now on have to have the type. Asked again, it looks again. Errors: `collection_exists` where the
 * field is filterable as another type.
 */
export async function addField(
  store: VectorStore,
  given: string,
  { field, type }: { field: string; type: FilterableType },
): Promise<FieldReport> {
  const name = (await requireByOwnName(store, given)).name as CollectionName;
  await store.addField(name, field, type);
  const examples: FieldReport['examples'] = [];
  let values = 0;
  let misfits = 0;
  for (let after: PointId | undefined; ;) {
    const points = await store.scanPoints(name, { limit: PAGE, after, filter: undefined });
    for (const { payload } of points) {
      if (payload.chunk_index !== 0) continue;
      const { document_id: id, tenant, metadata } = payload;
      const { isThere, misfit } = misfitAt(field, type, metadata);
      if (isThere) values += 1;
      if (misfit === undefined) continue;
      misfits += 1;
      if (examples.length < MOST_EXAMPLES) examples.push({ id, tenant, value: misfit });
    }
    after = points.at(-1)?.id;
    if (points.length < PAGE || after === undefined) break;
  }
  const collection = await requireByOwnName(store, name);
  return { collection: await collectionView(store, collection), values, misfits, examples };
}

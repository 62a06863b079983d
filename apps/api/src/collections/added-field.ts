import {
  filterableFieldSchema,
  filterableTypeSchema,
  jsonSchema,
  type Collection,
  type CollectionName,
  type PointId,
} from '@embedmill/jobs';
import { misfitAt, type VectorStore } from '@embedmill/vector-store';
import { z } from 'zod';
import { collectionView, collectionViewSchema, requireCollection } from './collection.ts';

export const addedFieldSchema = z.strictObject({
  field: filterableFieldSchema.meta({
    description: 'The metadata field; `author.name` is a field of an object.',
  }),
  type: filterableTypeSchema,
});

export const fieldReportSchema = z
  .strictObject({
    collection: collectionViewSchema,
    values: z.int().meta({ description: 'Documents that have a value in this field.' }),
    misfits: z.int().meta({
      description: 'Documents whose value has another type, so that filters on the field do not find them.',
    }),
    examples: z
      .array(z.strictObject({ id: z.string(), tenant: z.string(), value: jsonSchema }))
      .meta({ description: 'The first 100 misfits.' }),
  })
  .meta({ id: 'FieldReport' });
export type FieldReport = z.infer<typeof fieldReportSchema>;

/** A field that is being made filterable. */
export const fieldProgressSchema = z
  .strictObject({
    field: z.string(),
    points: z.int().meta({ description: 'Points checked so far.' }),
    of: z.int().meta({ description: 'Points in the collection when the check began.' }),
  })
  .meta({ id: 'FieldProgress' });
export type FieldProgress = z.infer<typeof fieldProgressSchema>;

export type AddedField = z.infer<typeof addedFieldSchema>;

const PAGE = 1000;
const MOST_EXAMPLES = 100;
/** How long a request waits for completion. */
const ANSWER_MS = 10_000;

/**
 * Fields that are being made filterable in existing collections. This may take longer than a request: it continues after the
 * response, and a repeated request returns the progress or, once, the result. If the process ends, or another process is
 * asked, it starts again, which does no harm.
 */
export class FieldAdditions {
  readonly #store: VectorStore;
  readonly #answerMs: number;
  readonly #running = new Map<string, { ended: Promise<FieldReport>; progress: FieldProgress }>();

  constructor(store: VectorStore, answerMs = ANSWER_MS) {
    this.#store = store;
    this.#answerMs = answerMs;
  }

  /** Errors: `collection_exists` if the field is filterable as another type. */
  async add(name: string, added: AddedField): Promise<FieldReport | FieldProgress> {
    const collection = await requireCollection(this.#store, name);
    const key = JSON.stringify([collection.name, added.field, added.type]);
    const running = this.#running.get(key) ?? (await this.#begin(key, collection, added));
    const { promise: late, resolve } = Promise.withResolvers<FieldProgress>();
    const timer = setTimeout(() => resolve(running.progress), this.#answerMs);
    try {
      const answer = await Promise.race([running.ended, late]);
      if ('values' in answer) this.#running.delete(key);
      return answer;
    } catch (thrown) {
      this.#running.delete(key);
      throw thrown;
    } finally {
      clearTimeout(timer);
    }
  }

  async #begin(key: string, { name, twin }: Collection, added: AddedField) {
    const of = await this.#store.countPoints(name as CollectionName);
    const progress: FieldProgress = { field: added.field, points: 0, of };
    const running = { ended: addField(this.#store, name, twin?.name, added, progress), progress };
    // The next request returns it.
    running.ended.catch(() => undefined);
    this.#running.set(key, running);
    return running;
  }
}

/**
 * Makes a field of an existing collection and its twin filterable, then checks stored documents for values of another type.
 * Documents submitted from now on must have the type. A repeated call checks again.
 */
async function addField(
  store: VectorStore,
  given: string,
  twin: string | undefined,
  { field, type }: AddedField,
  progress: FieldProgress,
): Promise<FieldReport> {
  const name = given as CollectionName;
  await store.addField(name, field, type);
  if (twin !== undefined) await store.addField(twin as CollectionName, field, type);
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
    progress.points += points.length;
    after = points.at(-1)?.id;
    if (points.length < PAGE || after === undefined) break;
  }
  const collection = await requireCollection(store, name);
  return { collection: await collectionView(store, collection), values, misfits, examples };
}

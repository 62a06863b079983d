import {
  DEFAULT_TENANT,
  EmbedmillError,
  type Collection,
  type CollectionName,
  type DocumentId,
  type Example,
  type TenantId,
} from '@embedmill/jobs';
import { combineExamples } from '@embedmill/retrieval';
import type { VectorStore } from '@embedmill/vector-store';
import { checkText, refuseUnknown, vectorAt, type QueryLane } from '../queries/query-lane.ts';

/** The vectors of a recommendation's examples: texts are embedded, documents read from the store. */
export class ExampleVectors {
  readonly #collection: Collection;
  readonly #tenant: TenantId;
  readonly #parts: { store: VectorStore; lane: QueryLane };

  constructor(
    collection: Collection,
    tenant: TenantId | undefined,
    parts: { store: VectorStore; lane: QueryLane },
  ) {
    this.#collection = collection;
    this.#tenant = (tenant ?? DEFAULT_TENANT) as TenantId;
    this.#parts = parts;
  }

  /** The vectors of these examples, in order. Errors: `invalid_request`, with places below `path`. */
  async of(examples: readonly Example[], path: string): Promise<Float32Array[]> {
    const texts = await this.#textVectors(examples, path);
    const documents = await this.#documentVectors(examples);
    return examples.map((one, n) => {
      const vector = 'text' in one ? texts.get(n) : documents.get(one.id);
      if (vector !== undefined) return vector;
      const id = 'id' in one ? one.id : '';
      const message = `the collection ${this.#collection.name} has no document ${JSON.stringify(id)}`;
      throw new EmbedmillError('invalid_request', message, {
        details: [{ path: `${path}/${n}/id`, message }],
      });
    });
  }

  /** By the index of the example. */
  async #textVectors(examples: readonly Example[], path: string): Promise<Map<number, Float32Array>> {
    const { profile, dims } = this.#collection;
    const given = examples.flatMap((one, n) => ('text' in one ? { n, text: one.text } : []));
    const pathOf = (index: number) => `${path}/${given[index]?.n}/text`;
    for (const [index, { text }] of given.entries()) checkText(text, pathOf(index));
    if (given.length === 0) return new Map();
    const inputs = given.map(({ text }) => text);
    const { model } = profile;
    const embedded = await this.#parts.lane.ask({ task: 'embed', model, inputs, role: 'document' });
    refuseUnknown(embedded.unknown, model, pathOf);
    return new Map(given.map(({ n }, index) => [n, vectorAt(embedded, index, dims)]));
  }

  /** By the document's id; a document with several chunks has the direction of their sum. */
  async #documentVectors(examples: readonly Example[]): Promise<Map<string, Float32Array>> {
    const name = this.#collection.name as CollectionName;
    const known = new Map<string, Float32Array>();
    for (const id of new Set(examples.flatMap((one) => ('id' in one ? one.id : [])))) {
      const key = { id: id as DocumentId, tenant: this.#tenant };
      const vectors = (await this.#parts.store.getPoints(name, [key])).map(({ dense }) => dense);
      if (vectors.length > 0) known.set(id, combineExamples(vectors, []));
    }
    return known;
  }
}

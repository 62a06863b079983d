import {
  WITH_IDF,
  type Collection,
  type DenseName,
  type SparseScheme,
  type SparseVector,
} from '@embedmill/jobs';
import type { VectorSearch } from '../store.ts';
import { checkScheme, checkSearchVector } from '../vector-check.ts';
import type { CollectionTerms } from './collection-terms.ts';
import type { ColumnsOf } from './columns.ts';
import { denseLook, searchTable, sparseLook, type FindInTable } from './table-search.ts';
import type { ZvecTable } from './zvec-table.ts';

/** A collection's state at the time of a search. */
export interface Searched {
  definition: Collection;
  columnsOf: ColumnsOf;
  /** The table with all points. */
  current: ZvecTable;
  /** The table with the dense vector of this name, if there is one. */
  tableOf: (vector: DenseName) => ZvecTable | undefined;
}

/** Searches of one collection, by its definition at the time; ZvecCollection calls it. */
export class CollectionSearches {
  readonly #now: () => Searched;
  readonly #terms: CollectionTerms;
  readonly #countTerms: () => Promise<void>;

  /** @param countTerms counts the stored terms, in sequence with the collection's writes, if they are unknown */
  constructor(now: () => Searched, terms: CollectionTerms, countTerms: () => Promise<void>) {
    this.#now = now;
    this.#terms = terms;
    this.#countTerms = countTerms;
  }

  async find<T>(search: VectorSearch, find: FindInTable<T>): Promise<T[]> {
    const { vector } = search;
    checkSearchVector(this.#now().definition, vector);
    switch (vector.kind) {
      case 'dense': {
        const { definition, columnsOf, current, tableOf } = this.#now();
        const table = tableOf(vector.name ?? definition.vector) ?? current;
        return find(table, definition, columnsOf, denseLook(definition, vector.values), search);
      }
      case 'sparse': {
        const { definition, columnsOf, current } = this.#now();
        const weighted = await this.#weighted(vector.scheme, vector.values);
        return find(current, definition, columnsOf, sparseLook(vector.scheme, weighted), search);
      }
    }
  }

  /** The factor of each term's weight in a search, or 1 if the scheme has no idf; 0 if no point has the term. */
  async termFactors(scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array> {
    checkScheme(this.#now().definition, scheme);
    if (WITH_IDF.has(scheme)) {
      await this.#countTerms();
      return Float32Array.from(terms, (term) => this.#terms.idf(scheme, term));
    }
    const factors = new Float32Array(terms.length);
    for (const [at, term] of terms.entries()) {
      const look = sparseLook(scheme, { indices: new Uint32Array([term]), values: new Float32Array([1]) });
      const { definition, columnsOf, current } = this.#now();
      const found = await searchTable(current, definition, columnsOf, look, { limit: 1, offset: 0 });
      factors[at] = found.length;
    }
    return factors;
  }

  async #weighted(scheme: SparseScheme, vector: SparseVector): Promise<SparseVector> {
    if (!WITH_IDF.has(scheme) || vector.indices.length === 0) return vector;
    await this.#countTerms();
    return this.#terms.weighted(scheme, vector);
  }
}

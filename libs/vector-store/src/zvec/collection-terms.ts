import type { SparseScheme, SparseVector } from '@embedmill/jobs';
import type { ZVecDoc } from '@zvec/zvec';
import type { Point } from '../store.ts';
import { termsColumn } from './columns.ts';
import { termsOf } from './sparse-columns.ts';
import { TermFrequencies } from './term-frequencies.ts';
import type { ZvecTable } from './zvec-table.ts';

/**
 * The document frequencies of a collection's schemes. After opening they are unknown until a search first needs them
 * and they are counted from the stored rows; from then on, each write updates them. Those of a new collection are known
 * from the start. If a write fails, or searches switch to another table, they are dropped, and counted again when
 * needed.
 *
 * ZvecCollection calls all except `idf` only within its writes, sequentially.
 */
export class CollectionTerms {
  readonly #schemes: readonly SparseScheme[];
  #frequencies: Map<SparseScheme, TermFrequencies> | undefined;

  constructor(schemes: readonly SparseScheme[], isEmpty: boolean) {
    this.#schemes = schemes;
    if (isEmpty) this.#frequencies = this.#none();
  }

  get isKnown(): boolean {
    return this.#frequencies !== undefined;
  }

  /** The columns of rows that are needed for counting; none while nothing is counted. */
  get columns(): string[] {
    return this.isKnown ? this.#schemes.map(termsColumn) : [];
  }

  forget(): void {
    this.#frequencies = undefined;
  }

  async count(table: ZvecTable): Promise<void> {
    if (this.isKnown) return;
    const counted = this.#none();
    await table.forEach(this.#schemes.map(termsColumn), (row) => {
      for (const [scheme, frequencies] of counted) frequencies.add(termsIn(row, scheme));
    });
    this.#frequencies = counted;
  }

  add(points: readonly Point[]): void {
    for (const [scheme, frequencies] of this.#frequencies ?? []) {
      for (const { sparse } of points) frequencies.add(sparse?.[scheme]?.indices ?? NO_TERMS);
    }
  }

  remove(rows: readonly ZVecDoc[]): void {
    for (const [scheme, frequencies] of this.#frequencies ?? []) {
      for (const row of rows) frequencies.remove(termsIn(row, scheme));
    }
  }

  /** Each term's weight times its factor in a search; terms without points may be omitted. */
  weighted(scheme: SparseScheme, { indices, values }: SparseVector): SparseVector {
    const factors = Float64Array.from(indices, (term) => this.idf(scheme, term));
    return {
      indices: indices.filter((_, at) => factors[at] !== 0),
      values: values.map((value, at) => value * (factors[at] ?? 0)).filter((value) => value !== 0),
    };
  }

  /** 0 if no point has the term. */
  idf(scheme: SparseScheme, term: number): number {
    return this.#frequencies?.get(scheme)?.idf(term) ?? 0;
  }

  #none(): Map<SparseScheme, TermFrequencies> {
    return new Map(this.#schemes.map((scheme) => [scheme, new TermFrequencies()]));
  }
}

const NO_TERMS = new Uint32Array();

function termsIn({ fields }: ZVecDoc, scheme: SparseScheme): Uint32Array {
  return termsOf((fields as Record<string, unknown>)[termsColumn(scheme)]);
}

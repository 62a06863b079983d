import { inverseFrequency } from '../inverse-frequency.ts';

/**
 * The document frequency of each term, for one scheme of one collection: an open-addressing hash table of term ids and
 * counts, with 16 to 32 bytes per term (a Map would take about 60). Counts that drop to 0 keep their slot.
 *
 * ZvecCollection updates it with every write.
 */
export class TermFrequencies {
  /** The number of points with any term. */
  points = 0;
  /** Ids plus one; 0 is a free slot. The id 2^32 - 1 does not fit and is counted separately. */
  #terms = new Uint32Array(1024);
  #counts = new Uint32Array(1024);
  #used = 0;
  #last = 0;

  /** Adds a point by its distinct terms. */
  add(terms: Uint32Array): void {
    this.#change(terms, 1);
  }

  /** Removes a point that was added. */
  remove(terms: Uint32Array): void {
    this.#change(terms, -1);
  }

  /** The number of points with the term. */
  count(term: number): number {
    return term === LARGEST ? this.#last : (this.#counts[this.#placeOf(term)] ?? 0);
  }

  /** The term's inverse document frequency; 0 if no point has it. */
  idf(term: number): number {
    const count = this.count(term);
    return count === 0 ? 0 : inverseFrequency(this.points, count);
  }

  #change(terms: Uint32Array, by: 1 | -1): void {
    if (terms.length === 0) return;
    this.points += by;
    for (const term of terms) {
      if (term === LARGEST) {
        this.#last += by;
        continue;
      }
      let place = this.#placeOf(term);
      if (this.#terms[place] === 0) {
        if (this.#used * 2 >= this.#terms.length) {
          this.#grow();
          place = this.#placeOf(term);
        }
        this.#used += 1;
        this.#terms[place] = term + 1;
      }
      this.#counts[place] = (this.#counts[place] ?? 0) + by;
    }
  }

  /** The term's slot, or the free one for it. */
  #placeOf(term: number): number {
    const mask = this.#terms.length - 1;
    // Fibonacci hashing, because the ids of some vocabularies are consecutive.
    const hashed = Math.imul(term, 0x9e3779b1);
    let place = (hashed ^ (hashed >>> 15)) & mask;
    for (;;) {
      const there = this.#terms[place];
      if (there === 0 || there === term + 1) return place;
      place = (place + 1) & mask;
    }
  }

  #grow(): void {
    const terms = this.#terms;
    const counts = this.#counts;
    this.#terms = new Uint32Array(terms.length * 2);
    this.#counts = new Uint32Array(terms.length * 2);
    for (const [at, held] of terms.entries()) {
      if (held === 0) continue;
      const place = this.#placeOf(held - 1);
      this.#terms[place] = held;
      this.#counts[place] = counts[at] ?? 0;
    }
  }
}

const LARGEST = 0xffffffff;

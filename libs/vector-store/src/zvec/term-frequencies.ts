import { inverseFrequency } from '../inverse-frequency.ts';

/**
 * How many points have each term, of one scheme of one collection: an open-addressed table of the terms' ids and their
 * counts, 16 to 32 bytes a term (in a Map it would be some 60). Counts that have come down to 0 keep their place.
 *
 * ZvecCollection keeps it in step with every write.
 */
export class TermFrequencies {
  /** Points that have any term. */
  points = 0;
  /** Ids, plus one: 0 is a free place. An id of 2^32 - 1 does not fit and is counted apart. */
  #terms = new Uint32Array(1024);
  #counts = new Uint32Array(1024);
  #used = 0;
  #last = 0;

  /** Counts a point in, by its distinct terms. */
  add(terms: Uint32Array): void {
    this.#change(terms, 1);
  }

  /** Counts a point out that was counted in. */
  remove(terms: Uint32Array): void {
    this.#change(terms, -1);
  }

  /** How many points have the term. */
  count(term: number): number {
    return term === LARGEST ? this.#last : (this.#counts[this.#placeOf(term)] ?? 0);
  }

  /** The term's inverse document frequency; 0 where no point has it. */
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

  /** Where the term is, or would be. */
  #placeOf(term: number): number {
    const mask = this.#terms.length - 1;
    // Fibonacci hashing: the ids of some vocabularies follow one another.
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

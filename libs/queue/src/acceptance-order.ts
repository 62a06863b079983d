import type { Broker } from './broker.ts';
import { repeatableKey, writersKey } from './names.ts';

/**
 * The order in which submissions and deletions are accepted, as the broker keeps it: each has a sequence, and is a
 * _writer_ of its collection from the step in which it gets it until nothing can write under it any more: a deletion
 * until it is done, a job until it has ended and none of its documents can be retried. A job whose documents a
 * verification could still submit again is _repeatable_ for as long as it is kept.
 *
 * A broker may forget the end of what it was told. Its clock has moved on by then, and each process that accepts knows the
 * greatest sequence that it has seen, also in the spool's records of jobs that it gives back: the next one is above both.
 */
export class AcceptanceOrder {
  readonly #broker: Broker;
  #greatest = 0;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** The next sequence, for a writer of this collection. */
  async take(collection: string, writer: string): Promise<number> {
    const sequence = await this.#broker.nextSequence(writersKey(collection), writer, this.#greatest);
    this.#see(sequence);
    return sequence;
  }

  /** A writer that has its sequence already: it repeats a job, or the broker had lost it. */
  async join(collection: string, writer: string, sequence: number): Promise<void> {
    this.#see(sequence);
    await this.#broker.addRanked(writersKey(collection), writer, sequence);
  }

  /** Nothing can write under it any more, but by a verification where it is `repeatable`. */
  async leave(collection: string, writer: string, repeatable?: { sequence: number }): Promise<void> {
    if (repeatable !== undefined) {
      await this.#broker.addRanked(repeatableKey(collection), writer, repeatable.sequence);
    }
    await this.#broker.removeRanked(writersKey(collection), writer);
  }

  /** A job is not kept any more. */
  async forget(collection: string, writer: string): Promise<void> {
    await this.#broker.removeRanked(writersKey(collection), writer);
    await this.#broker.removeRanked(repeatableKey(collection), writer);
  }

  /**
   * The least sequence that may still be written to a collection; undefined where none is. What nobody knows any more, and
   * was accepted before `abandoned`, was left by a process that died, and is forgotten.
   */
  async oldest(
    collection: string,
    isKnown: (writer: string) => boolean,
    abandoned: number,
  ): Promise<number | undefined> {
    let oldest: number | undefined;
    for (const set of [writersKey(collection), repeatableKey(collection)]) {
      for (const { member, rank } of await this.#broker.ranked(set)) {
        if (rank < abandoned && !isKnown(member)) await this.#broker.removeRanked(set, member);
        else oldest = Math.min(oldest ?? rank, rank);
      }
    }
    return oldest;
  }

  /** The sequences below this one that may still be written to a collection, the smallest first. */
  async writableBelow(collection: string, sequence: number): Promise<number[]> {
    const sets = [writersKey(collection), repeatableKey(collection)];
    const ranked = await Promise.all(sets.map((set) => this.#broker.ranked(set)));
    const below = ranked.flat().flatMap(({ rank }) => (rank < sequence ? rank : []));
    return [...new Set(below)].sort((a, b) => a - b);
  }

  /** The writers of smaller sequences than this one. */
  async olderThan(collection: string, sequence: number): Promise<string[]> {
    const writers = await this.#broker.ranked(writersKey(collection));
    return writers.flatMap(({ member, rank }) => (rank < sequence ? member : []));
  }

  /** The greatest sequence below this one that a writer has; 0 where none has one. */
  rivalOf(collection: string, sequence: number): Promise<number> {
    return this.#broker.rankBelow(writersKey(collection), sequence);
  }

  #see(sequence: number): void {
    this.#greatest = Math.max(this.#greatest, sequence);
  }
}

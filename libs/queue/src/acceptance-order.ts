import { WHOLE, type SourceSection } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { repeatableKey, writersKey } from './names.ts';

/**
 * The order of acceptance of submissions and deletions, kept by the broker. Each has a sequence and is a _writer_ of its
 * collection from the step in which it gets the sequence until nothing can write under it any more: a deletion until it
 * is done, a job until it has ended and none of its documents can be retried. A job whose documents a verification could
 * still submit again is _repeatable_ for as long as it is kept. A job with sections has a sequence for each of them, and
 * is a writer under all of them.
 *
 * A broker may lose its latest writes. By then its clock has moved on, and each accepting process knows the greatest
 * sequence that it has seen, also in the spool's records of restored jobs: the next sequence is above both.
 */
export class AcceptanceOrder {
  readonly #broker: Broker;
  #greatest = 0;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** The next sequence, for a writer of this collection. The greatest of its sections comes first: it shows to all later writers. */
  async take(collection: string, writer: string, sections: Sections = WHOLE): Promise<number> {
    const last = Math.max(...sections.map(({ after }) => after));
    const member = memberOf(writer, last);
    const greatest = await this.#broker.nextSequence(writersKey(collection), member, this.#greatest, last);
    this.#see(greatest);
    const sequence = greatest - last;
    const others = sections.filter(({ after }) => after !== last);
    await this.#add(writersKey(collection), writer, sequence, others);
    return sequence;
  }

  /** A writer that already has its sequence: it repeats a job, or the broker had lost it. */
  async join(
    collection: string,
    writer: string,
    sequence: number,
    sections: Sections = WHOLE,
  ): Promise<void> {
    await this.#add(writersKey(collection), writer, sequence, sections);
  }

  /** Nothing can write under it any more, except a verification if it is `repeatable`. */
  async leave(
    collection: string,
    writer: string,
    repeatable?: { sequence: number },
    sections: Sections = WHOLE,
  ): Promise<void> {
    if (repeatable !== undefined)
      await this.#add(repeatableKey(collection), writer, repeatable.sequence, sections);
    await this.#remove(writersKey(collection), writer, sections);
  }

  /** A job is no longer kept. */
  async forget(collection: string, writer: string, sections: Sections = WHOLE): Promise<void> {
    await this.#remove(writersKey(collection), writer, sections);
    await this.#remove(repeatableKey(collection), writer, sections);
  }

  /**
   * The least sequence that may still be written to a collection; undefined if there is none. Unknown writers that were
   * accepted before `abandoned` were left by a dead process and are dropped.
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

  /** The sequences below this one that may still be written to a collection, smallest first. */
  async writableBelow(collection: string, sequence: number): Promise<number[]> {
    const sets = [writersKey(collection), repeatableKey(collection)];
    const ranked = await Promise.all(sets.map((set) => this.#broker.ranked(set)));
    const below = ranked.flat().flatMap(({ rank }) => (rank < sequence ? rank : []));
    return [...new Set(below)].sort((a, b) => a - b);
  }

  /** The writers of smaller sequences than this one. */
  async olderThan(collection: string, sequence: number): Promise<string[]> {
    const writers = await this.#broker.ranked(writersKey(collection));
    return [...new Set(writers.flatMap(({ member, rank }) => (rank < sequence ? writerOf(member) : [])))];
  }

  /** The greatest sequence of a writer below this one; 0 if there is none. */
  rivalOf(collection: string, sequence: number): Promise<number> {
    return this.#broker.rankBelow(writersKey(collection), sequence);
  }

  async #add(set: string, writer: string, sequence: number, sections: Sections): Promise<void> {
    for (const { after } of sections) {
      this.#see(sequence + after);
      await this.#broker.addRanked(set, memberOf(writer, after), sequence + after);
    }
  }

  async #remove(set: string, writer: string, sections: Sections): Promise<void> {
    for (const { after } of sections) await this.#broker.removeRanked(set, memberOf(writer, after));
  }

  #see(sequence: number): void {
    this.#greatest = Math.max(this.#greatest, sequence);
  }
}

type Sections = readonly Pick<SourceSection, 'after'>[];

/** A writer under the sequence of one of its sections. */
const memberOf = (writer: string, after: number): string => (after === 0 ? writer : `${writer} +${after}`);
const writerOf = (member: string): string => member.replace(/ \+\d+$/, '');

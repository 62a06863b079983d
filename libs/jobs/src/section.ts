import { z } from 'zod';

/**
 * A stretch of a job's source that is scanned alone and whose shards are dispatched while the next one is scanned. A line
 * belongs to the section that its first byte lies in.
 *
 * Each section has a sequence of its own, `after` behind that of the job: whichever section a document is in last wins,
 * as if each section were a job. So what comes twice has to be found within a section only.
 */
export const sectionSchema = z.strictObject({
  /** The first byte. */
  offset: z.int().nonnegative(),
  after: z.int().nonnegative(),
});
export type SourceSection = z.infer<typeof sectionSchema>;

/** Of a job whose source is scanned as a whole. */
export const WHOLE: readonly SourceSection[] = [{ offset: 0, after: 0 }];

/** Some hundred thousand short lines, which one core scans in four seconds. */
export const FIRST_SECTION_BYTES = 32 * 1024 * 1024;

/**
 * The sections of a source of so many bytes: each is as large as all before it, and the first is `first`. So the first shards
 * do not wait for a large source, and a source has few sections, however large it is.
 */
export function sectionsOf(bytes: number, first = FIRST_SECTION_BYTES): readonly SourceSection[] {
  const sections = [...WHOLE];
  // As for sequences of jobs: between two there is a place for a deletion.
  for (let offset = first; offset < bytes; offset *= 2) sections.push({ offset, after: 2 * sections.length });
  return sections;
}

/** The number of the section in which a line begins. */
export function sectionAt(sections: readonly SourceSection[] = WHOLE, offset: number): number {
  return Math.max(
    0,
    sections.findLastIndex((section) => section.offset <= offset),
  );
}

/** The sequence of a section of a job. */
export function sectionSequence(
  { sequence, sections = WHOLE }: { sequence: number; sections?: readonly SourceSection[] | undefined },
  section: number,
): number {
  return sequence + (sections[section]?.after ?? 0);
}

/** Notes where the lines of another source begin that are copied from a source with sections, in their order. */
export class CopiedSections {
  readonly #of: readonly SourceSection[];
  readonly #copied: SourceSection[] = [];
  #bytes = 0;

  constructor(of: readonly SourceSection[] = WHOLE) {
    this.#of = of;
  }

  /** A line from this offset of the source takes so many bytes in the copy. */
  add(offset: number, bytes: number): void {
    const { after } = this.#of[sectionAt(this.#of, offset)] ?? { after: 0 };
    const last = this.#copied.at(-1);
    if (last === undefined || last.after < after) this.#copied.push({ offset: this.#bytes, after });
    this.#bytes += bytes;
  }

  /** Of the copy; undefined if it is one, of the job's own sequence. */
  get sections(): SourceSection[] | undefined {
    return this.#copied.every(({ after }) => after === 0) ? undefined : this.#copied;
  }
}

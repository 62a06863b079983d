import { spokenHead, type DocumentStructure } from '@embedmill/jobs';
import type { ParsedDocument } from '@embedmill/parsing';

/** The ways to ask for a section by its title, which was removed from the section. */
export const ASKINGS = ['title', 'subject', 'parent'] as const;
export type Asking = (typeof ASKINGS)[number];

export interface Question {
  /**
   * - `title`: the title alone, if it is meaningful and no other section of the corpus has it;
   * - `subject`: with the document's title in front, like a user who knows what the document is about;
   * - `parent`: with the parent heading in front, which gives away what is measured: an upper bound.
   */
  asked: Partial<Record<Asking, string>>;
  document: number;
  /** The section's place, without its title. */
  start: number;
  end: number;
  /** Whether it is below a heading other than the document's title. */
  isBelow: boolean;
}

type Section = NonNullable<DocumentStructure['sections']>[number];

/** Shorter sections are not asked for: they have almost no content. */
const LEAST_CHARACTERS = 80;
/** Two words with letters. */
const SAYS_SOMETHING = /\p{L}{3,}.*\s\S*\p{L}{3,}/u;
/** The numbering of a heading. */
const NUMBER = /^(?:(?:chapter|section|appendix)\s+)?(?:[A-Z]\.|\d+\.?)(?:\d+\.?)*\s+/iu;

/**
 * Removes the titles of sections from documents, in place, and returns the questions made of them. A title is removed
 * from the text and from the headings of its own section, which keeps the headings above. Only sections without
 * subsections are used, so that no other section has the title among its headings; and only if no other section of the
 * document has the same title.
 */
export function heldOut(documents: ParsedDocument[], most: number): Question[] {
  const inCorpus = new Map<string, number>();
  const inDocument = documents.map(({ structure: { sections = [] } }) => {
    const titles = sections.map(({ headings }) => keyOf(headings));
    for (const title of titles) inCorpus.set(title, (inCorpus.get(title) ?? 0) + 1);
    return Map.groupBy(titles, (title) => title);
  });
  const found: Question[] = [];
  for (const [n, document] of documents.entries()) {
    const { sections = [] } = document.structure;
    const kept: Section[] = [];
    let text = document.text.slice(0, sections[0]?.start ?? 0);
    for (const [at, { start, headings }] of sections.entries()) {
      const next = sections[at + 1];
      const own = document.text.slice(start, next?.start);
      const title = headings.at(-1) ?? '';
      const isLeaf = (next?.headings.length ?? 0) <= headings.length;
      const isAsked =
        isLeaf &&
        headings.length > 1 &&
        own.startsWith(title) &&
        own.length - title.length > LEAST_CHARACTERS &&
        inDocument[n]?.get(keyOf(headings))?.length === 1 &&
        /\p{L}{3,}/u.test(title);
      const above = headings.slice(0, -1);
      const body = isAsked ? own.slice(title.length).trimStart() : own;
      if (isAsked) {
        const isUnique = inCorpus.get(keyOf(headings)) === 1 && SAYS_SOMETHING.test(title);
        const plain = (heading = ''): string => heading.replace(NUMBER, '');
        found.push({
          asked: {
            ...(isUnique && { title: plain(title) }),
            subject: `${plain(document.title)}: ${plain(title)}`,
            parent: `${plain(above.at(-1))}: ${plain(title)}`,
          },
          document: n,
          start: text.length,
          end: text.length + body.length,
          isBelow: spokenHead(document.title, above) !== spokenHead(document.title),
        });
      }
      kept.push({ start: text.length, headings: isAsked ? above : headings });
      text += body;
    }
    document.text = text;
    document.structure = { sections: kept };
  }
  const every = Math.max(1, found.length / most);
  return found.filter((_, n) => Math.floor(n / every) !== Math.floor((n - 1) / every));
}

/** A section's title, reduced to what distinguishes sections. */
function keyOf(headings: readonly string[]): string {
  return (headings.at(-1) ?? '')
    .toLowerCase()
    .replace(/[\d.\s]+/g, ' ')
    .trim();
}

import { spokenHead, type DocumentStructure } from '@embedmill/jobs';
import type { ParsedDocument } from '@embedmill/parsing';

/** How a section is asked for by its title, which nothing of the section says any more. */
export const ASKINGS = ['title', 'subject', 'parent'] as const;
export type Asking = (typeof ASKINGS)[number];

export interface Question {
  /**
   * - `title`: the title alone, where it says something and no other section of the corpus has it;
   * - `subject`: with the document's title in front, as who knows what it is about asks;
   * - `parent`: with the heading above in front, which gives away what is measured: an upper bound.
   */
  asked: Partial<Record<Asking, string>>;
  document: number;
  /** Where the section is, without its title. */
  start: number;
  end: number;
  /** Whether a heading stands above it that is not the document's title as well. */
  isBelow: boolean;
}

type Section = NonNullable<DocumentStructure['sections']>[number];

/** Shorter sections are not asked for: they are next to nothing. */
const LEAST_CHARACTERS = 80;
/** Two words, of which each has letters. */
const SAYS_SOMETHING = /\p{L}{3,}.*\s\S*\p{L}{3,}/u;
/** What a heading is numbered by. */
const NUMBER = /^(?:(?:chapter|section|appendix)\s+)?(?:[A-Z]\.|\d+\.?)(?:\d+\.?)*\s+/iu;

/**
 * Takes the titles of sections out of documents, in place, and gives the questions that are made of them: a title is taken
 * from the text, and from the headings of its own section, which keeps those above. Only sections with none below are
 * asked for, so no other section has the title among its headings, and only those whose title no other section of the
 * document has.
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

/** A section's title, as far as it tells sections apart. */
function keyOf(headings: readonly string[]): string {
  return (headings.at(-1) ?? '')
    .toLowerCase()
    .replace(/[\d.\s]+/g, ' ')
    .trim();
}

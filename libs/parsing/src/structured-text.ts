import {
  MOST_BLOCKS,
  MOST_HEADING_CHARACTERS,
  MOST_PAGES,
  MOST_SECTIONS,
  type Block,
  type DocumentStructure,
  type Page,
} from '@embedmill/jobs';
import { fault } from './parsed-document.ts';

/** The maximum length of one document's text; a longer line would not be read. */
const MOST_CHARACTERS = 8 * 1024 * 1024;
const MOST_LEVELS = 6;
/** Control characters, except white space. */
const CONTROLS = /[^\P{Cc}\t\n\f\r]/gu;

interface Heading {
  start: number;
  level: number;
  text: string;
}

/**
 * A text that a parser writes block by block, with the positions of its sections, pages, tables and code. Blocks are
 * separated by an empty line; rows of a table and items of a list by a line end.
 */
export class StructuredText {
  readonly #parts: string[] = [];
  #length = 0;
  readonly #headings: Heading[] = [];
  readonly #pages: Page[] = [];
  readonly #blocks: Block[] = [];
  #last: 'block' | 'item' | 'row' = 'block';

  get length(): number {
    return this.#length;
  }

  /** A heading, from 1, the outermost. */
  heading(level: number, text: string): void {
    const line = inline(text);
    if (line === '') return;
    const start = this.#write(line, 'block');
    this.#headings.push({ start, level, text: line.slice(0, MOST_HEADING_CHARACTERS).toWellFormed() });
  }

  /** A section that begins with the next block, and whose heading is not part of the text. */
  section(level: number, heading: string): void {
    const text = inline(heading).slice(0, MOST_HEADING_CHARACTERS).toWellFormed();
    const start = this.#length === 0 ? 0 : this.#length + 2;
    if (this.#headings.at(-1)?.start === start) this.#headings.pop();
    if (text !== '') this.#headings.push({ start, level, text });
    this.endTable();
  }

  /** Prose, whose white space is not significant. */
  paragraph(text: string): void {
    const line = inline(text);
    if (line !== '') this.#write(line, 'block');
  }

  /** Preformatted text. */
  lines(text: string): void {
    const trimmed = clean(text)
      .replace(/^\s*\n/, '')
      .trimEnd();
    if (trimmed !== '') this.#write(trimmed, 'block');
  }

  /** A list item, from depth 0. */
  item(text: string, depth = 0, mark = '-'): void {
    const line = inline(text);
    if (line !== '') this.#write(`${'  '.repeat(Math.min(depth, 8))}${mark} ${line}`, 'item');
  }

  /** A row of a table; consecutive rows are one table. */
  row(cells: readonly string[]): void {
    const line = cells.map(inline).join(' | ');
    if (line.replaceAll('|', '').trim() === '') return;
    const follows = this.#last === 'row';
    const start = this.#write(line, 'row');
    const table = this.#blocks.at(-1);
    if (follows && table !== undefined) table.end = this.#length;
    else this.#blocks.push({ start, end: this.#length, kind: 'table' });
  }

  /** Makes the next rows a new table. */
  endTable(): void {
    if (this.#last === 'row') this.#last = 'block';
  }

  code(text: string): void {
    const trimmed = clean(text)
      .replace(/^\s*\n/, '')
      .trimEnd();
    if (trimmed === '') return;
    const start = this.#write(trimmed, 'block');
    this.#blocks.push({ start, end: this.#length, kind: 'code' });
  }

  /** Begins this page. */
  page(number: number): void {
    const start = this.#length === 0 ? 0 : this.#length + 2;
    if (this.#pages.at(-1)?.start === start) this.#pages.pop();
    if (this.#pages.length < MOST_PAGES) this.#pages.push({ start, number });
    this.endTable();
  }

  /** Like `page`, but the page begins after this many characters of the next block. */
  pageWithin(number: number, characters: number): void {
    const start = (this.#length === 0 ? 0 : this.#length + 2) + characters;
    if (this.#pages.length < MOST_PAGES) this.#pages.push({ start, number });
  }

  /** The first heading if nothing precedes it, which is the title of most documents. */
  get firstHeading(): string | undefined {
    const [first] = this.#headings;
    return first?.start === 0 ? first.text : undefined;
  }

  finish(): { text: string; structure: DocumentStructure } {
    const text = this.#parts.join('');
    const structure: DocumentStructure = {};
    const sections = sectionsOf(this.#headings.filter(({ start }) => start < text.length));
    if (sections.length > 0) structure.sections = sections;
    const pages = this.#pages.filter(({ start }) => start < text.length);
    if (pages.length > 0) structure.pages = pages;
    if (this.#blocks.length > 0) structure.blocks = this.#blocks.slice(0, MOST_BLOCKS);
    return { text, structure };
  }

  #write(text: string, kind: 'block' | 'item' | 'row'): number {
    const isNext = kind !== 'block' && kind === this.#last;
    const gap = this.#length === 0 ? '' : isNext ? '\n' : '\n\n';
    const written = text.toWellFormed();
    const start = this.#length + gap.length;
    this.#parts.push(gap, written);
    this.#length = start + written.length;
    if (this.#length > MOST_CHARACTERS) {
      const message = `the file has more than ${MOST_CHARACTERS} characters of text; split it into several`;
      throw fault('parsing_limit', message);
    }
    this.#last = kind;
    return start;
  }
}

/** Text on its own line, with white space collapsed. */
export function inline(text: string): string {
  return clean(text).replace(/\s+/g, ' ').trim();
}

function clean(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(CONTROLS, '').replaceAll('\xad', '');
}

/** Drops the lowest heading levels if there are too many sections. */
function sectionsOf(headings: readonly Heading[]): NonNullable<DocumentStructure['sections']> {
  let deepest = MOST_LEVELS;
  let kept = headings.slice();
  while (kept.length > MOST_SECTIONS && deepest > 1) {
    deepest -= 1;
    kept = kept.filter(({ level }) => level <= deepest);
  }
  const path: Heading[] = [];
  return kept.slice(0, MOST_SECTIONS).map((heading) => {
    while ((path.at(-1)?.level ?? 0) >= heading.level) path.pop();
    path.push(heading);
    return { start: heading.start, headings: path.slice(-MOST_LEVELS).map(({ text }) => text) };
  });
}

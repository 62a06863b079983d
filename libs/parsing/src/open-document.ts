import { instant } from './dates.ts';
import { fault, type ParsedDocument } from './parsed-document.ts';
import { inline, StructuredText } from './structured-text.ts';
import { readXml, textsIn } from './xml.ts';
import type { Zip } from './zip.ts';

/** A cell may claim to repeat more often; empty ones repeat to the end of the sheet. */
const MOST_REPEATED = 64;

/** Elements whose content is not part of the text, such as deletions and comments. */
const APART = new Set([
  'office:annotation',
  'presentation:notes',
  'text:tracked-changes',
  'text:note-citation',
]);

/** Reads a document, presentation or sheet of OpenDocument. */
export async function parseOpenDocument(zip: Zip, type: string): Promise<ParsedDocument> {
  if ((await zip.text('META-INF/manifest.xml')).includes('encryption-data'))
    throw fault('document_encrypted', 'the file is encrypted; save it without a password');
  const content = new Content(type);
  readXml(await zip.text('content.xml'), {
    open: (name, attributes) => content.open(name, attributes),
    close: (name) => content.close(name),
    text: (some) => content.add(some),
  });
  const { text, slides } = content;
  const said = textsIn(await zip.text('meta.xml'), [
    'dc:title',
    'meta:initial-creator',
    'dc:creator',
    'dc:language',
    'meta:creation-date',
    'dc:date',
  ]);
  return {
    title: inline(said['dc:title'] ?? '') || text.firstHeading,
    ...text.finish(),
    metadata: {
      type,
      language: said['dc:language'] || undefined,
      author: said['meta:initial-creator'] || said['dc:creator'] || undefined,
      created: instant(said['meta:creation-date']),
      modified: instant(said['dc:date']),
      ...(slides > 0 && { pages: slides }),
    },
  };
}

/** Builds the text from the elements of content.xml, in their order. Words are collected until their paragraph ends. */
class Content {
  readonly text = new StructuredText();
  slides = 0;
  readonly #type: string;
  #words: string[] = [];
  /** The level of the open heading. */
  #level: number | undefined;
  /** How many lists are open. */
  #lists = 0;
  /** The open row; `empty` counts the empty cells after its last text. */
  #row: { cells: string[]; repeated: number; empty: number } | undefined;
  /** How many elements of `APART` are open; their text is not read. */
  #hidden = 0;
  /** The notes of the open paragraph, which follow it. */
  #notes: string[] = [];
  /** The words of the paragraph before the open note. */
  #around: string[] | undefined;
  /** Whether the next paragraph is the first of a slide, which is its title. */
  #isTitle = false;

  constructor(type: string) {
    this.#type = type;
  }

  open(name: string, attributes: Readonly<Record<string, string | undefined>>): void {
    switch (name) {
      case 'draw:page':
        this.slides += 1;
        this.text.page(this.slides);
        this.#isTitle = true;
        break;
      case 'table:table':
        if (this.#type === 'ods') this.text.heading(1, attributes['table:name'] ?? '');
        break;
      case 'table:table-row':
        this.#row = { cells: [], repeated: 1, empty: 0 };
        break;
      case 'table:table-cell':
      case 'table:covered-table-cell':
        if (this.#row !== undefined)
          this.#row.repeated = Math.min(count(attributes['table:number-columns-repeated']), MOST_REPEATED);
        break;
      case 'text:h':
        if (this.#hidden === 0) this.#level = count(attributes['text:outline-level']);
        break;
      case 'text:list':
        this.#lists += 1;
        break;
      case 'text:s':
      case 'text:tab':
      case 'text:line-break':
        this.#words.push(' ');
        break;
      case 'text:note':
        this.#around = this.#words;
        this.#words = [];
        break;
      default:
        if (APART.has(name)) this.#hidden += 1;
    }
  }

  close(name: string): void {
    switch (name) {
      case 'table:table':
        this.text.endTable();
        break;
      case 'table:table-row':
        if (this.#row !== undefined) this.text.row(this.#row.cells);
        this.#row = undefined;
        break;
      case 'table:table-cell':
      case 'table:covered-table-cell':
        this.#endCell();
        break;
      case 'text:h':
      case 'text:p':
        this.#endParagraph();
        break;
      case 'text:list':
        this.#lists -= 1;
        break;
      case 'text:note':
        this.#endNote();
        break;
      default:
        if (APART.has(name)) this.#hidden -= 1;
    }
  }

  add(text: string): void {
    if (this.#hidden === 0) this.#words.push(text);
  }

  /** Empty cells before others are kept, so that these stay in their columns; those at the end of a row are dropped. */
  #endCell(): void {
    const row = this.#row;
    if (row === undefined) return;
    const cell = this.#takeWords().trim();
    if (cell === '') {
      row.empty = Math.min(row.empty + row.repeated, MOST_REPEATED);
      return;
    }
    for (; row.empty > 0; row.empty -= 1) row.cells.push('');
    for (let n = 0; n < row.repeated; n += 1) row.cells.push(cell);
  }

  /** Paragraphs of cells and notes are only separated by a space. */
  #endParagraph(): void {
    const isInside = this.#row !== undefined || this.#around !== undefined;
    if (this.#hidden === 0) {
      if (isInside) this.#words.push(' ');
      else this.#addParagraph();
    }
    if (this.#around === undefined) this.#level = undefined;
  }

  #addParagraph(): void {
    const whole = this.#takeWords();
    if (whole.trim() === '') return;
    if (this.#isTitle) this.text.heading(1, whole);
    else if (this.#level !== undefined) this.text.heading(this.#level, whole);
    else if (this.#lists > 0) this.text.item(whole, this.#lists - 1);
    else this.text.paragraph(whole);
    this.#isTitle = false;
    for (const note of this.#notes) this.text.paragraph(note);
    this.#notes = [];
  }

  #endNote(): void {
    if (this.#around === undefined) return;
    this.#notes.push(this.#takeWords());
    this.#words = this.#around;
    this.#around = undefined;
  }

  #takeWords(): string {
    const whole = this.#words.join('');
    this.#words = [];
    return whole;
  }
}

/** A number in an attribute; 1 if it is missing or not a number. */
function count(attribute: string | undefined): number {
  return Number(attribute ?? 1) || 1;
}

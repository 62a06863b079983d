import { getDocumentProxy } from 'unpdf';
import { instant, pdfInstant } from './dates.ts';
import { fault, type ParsedDocument } from './parsed-document.ts';
import { linesOf, repeatedLines, type Line, type Run } from './pdf-layout.ts';
import { inline, StructuredText } from './structured-text.ts';

type Pdf = Awaited<ReturnType<typeof getDocumentProxy>>;
/** A PDF's metadata: from its information dictionary, and from XMP, by lower-case names. */
interface Said {
  info: Record<string, unknown>;
  metadata?: { get: (name: string) => unknown } | null;
}

/** The maximum number of pages; larger documents are refused. */
const MOST_PAGES = 5000;
/** Fewer characters per page than this mean scanned pages at most. */
const LEAST_CHARACTERS = 8;
/** Text larger than the body text by this factor is a heading. */
const HEADING_SIZE = 1.15;
/** Line spacing wider than usual by this factor ends a paragraph. */
const PARAGRAPH_GAP = 1.35;
const MOST_HEADING_CHARACTERS = 160;

/** Reads a PDF: its pages in reading order, without what repeats at their edges. Errors: `ParsingFault`. */
export async function parsePdf(bytes: Uint8Array): Promise<ParsedDocument> {
  const pdf = await opened(bytes);
  try {
    return await read(pdf);
  } finally {
    await pdf.loadingTask.destroy();
  }
}

async function opened(bytes: Uint8Array): Promise<Pdf> {
  try {
    return await getDocumentProxy(Uint8Array.from(bytes), { verbosity: 0 });
  } catch (error) {
    if ((error as Error).name === 'PasswordException')
      throw fault('document_encrypted', 'the PDF needs a password; save it without one', error);
    throw error;
  }
}

async function read(pdf: Pdf): Promise<ParsedDocument> {
  if (pdf.numPages > MOST_PAGES)
    throw fault(
      'parsing_limit',
      `the PDF has ${pdf.numPages} pages, but at most ${MOST_PAGES} are supported; split it`,
    );
  const pages: Line[][] = [];
  for (let number = 1; number <= pdf.numPages; number += 1) {
    const page = await pdf.getPage(number);
    const { items } = await page.getTextContent();
    pages.push(linesOf(items.flatMap((item) => ('str' in item ? runOf(item) : []))));
    page.cleanup();
  }
  const characters = pages.flat().reduce((sum, { cells }) => sum + cells.join('').length, 0);
  if (characters < LEAST_CHARACTERS * pages.length) {
    const message = `the PDF has ${pages.length} pages but almost no text: they seem to be scans; run OCR on it first`;
    throw fault('document_scanned', message);
  }
  const text = new StructuredText();
  new PdfReading(text, pages, await outlineOf(pdf)).write();
  const { info, metadata } = (await pdf.getMetadata().catch(() => ({ info: {} }))) as Said;
  const said = (field: string): string | undefined => words(info[field]);
  /** The same in XMP, which newer programs use instead. */
  const saidInXmp = (field: string): string | undefined => words([metadata?.get(field)].flat().join(', '));
  return {
    title: said('Title') ?? saidInXmp('dc:title') ?? text.firstHeading,
    ...text.finish(),
    metadata: {
      type: 'pdf',
      language: said('Language'),
      author: said('Author') ?? saidInXmp('dc:creator'),
      created: pdfInstant(said('CreationDate')) ?? instant(saidInXmp('xmp:createdate')),
      modified: pdfInstant(said('ModDate')) ?? instant(saidInXmp('xmp:modifydate')),
      pages: pages.length,
    },
  };
}

function runOf({
  str,
  transform,
  width,
  height,
}: {
  str: string;
  transform: number[];
  width: number;
  height: number;
}): Run {
  const [, , c = 0, d = 0, x = 0, y = 0] = transform;
  // Ligatures.
  const text = str.replace(/[\ufb00-\ufb06]/g, (one) => one.normalize('NFKC'));
  return { text, x, y, width, size: Math.hypot(c, d) || height || 1 };
}

function words(given: unknown): string | undefined {
  return typeof given === 'string' ? inline(given) || undefined : undefined;
}

/** The bookmarks' titles, with their depth. */
async function outlineOf(pdf: Pdf): Promise<Map<string, number>> {
  const levels = new Map<string, number>();
  const waiting = ((await pdf.getOutline().catch(() => null)) ?? []).map((node) => ({ node, level: 1 }));
  for (let next = waiting.shift(); next !== undefined && levels.size < 5000; next = waiting.shift()) {
    const { node, level } = next;
    levels.set(inline(node.title), level);
    for (const child of node.items ?? []) waiting.push({ node: child, level: level + 1 });
  }
  return levels;
}

/** Converts lines to paragraphs, headings and tables. */
class PdfReading {
  readonly #text: StructuredText;
  readonly #pages: readonly Line[][];
  readonly #outline: ReadonlyMap<string, number>;
  /** The font size of most of the text. */
  readonly #size: number;
  /** The sizes of headings, the largest first. */
  readonly #headingSizes: number[];
  #paragraph = '';

  constructor(text: StructuredText, pages: readonly Line[][], outline: ReadonlyMap<string, number>) {
    this.#text = text;
    this.#pages = pages;
    this.#outline = outline;
    const counts = new Map<number, number>();
    for (const { cells, size } of pages.flat()) {
      const rounded = Math.round(2 * size) / 2;
      counts.set(rounded, (counts.get(rounded) ?? 0) + cells.join('').length);
    }
    const [usual] = [...counts].sort((a, b) => b[1] - a[1]);
    this.#size = usual?.[0] ?? 1;
    this.#headingSizes = [...counts.keys()]
      .filter((size) => size >= HEADING_SIZE * this.#size)
      .sort((a, b) => b - a);
  }

  write(): void {
    const repeated = repeatedLines(this.#pages);
    for (const [n, all] of this.#pages.entries()) {
      const lines = all.filter((line) => !repeated.has(line));
      // A paragraph may continue on the next page.
      if (!this.#goesOn(lines[0])) this.#flush();
      if (this.#paragraph === '') this.#text.page(n + 1);
      else this.#text.pageWithin(n + 1, inline(this.#paragraph).length);
      const spacing = usualSpacing(lines);
      for (const [at, line] of lines.entries()) this.#line(line, lines[at - 1], lines[at + 1], spacing);
    }
    this.#flush();
  }

  #goesOn(line: Line | undefined): boolean {
    if (this.#paragraph === '' || line === undefined) return false;
    return /[\p{Ll},-]$/u.test(this.#paragraph.trimEnd()) && /^\p{Ll}/u.test(line.cells[0] ?? '');
  }

  #line(line: Line, before: Line | undefined, after: Line | undefined, spacing: number): void {
    const words = inline(line.cells.join(' '));
    const level = this.#levelOf(line, words);
    if (level !== undefined) {
      this.#flush();
      this.#text.heading(level, words);
      return;
    }
    // A single line with several cells is only a line with a wide gap.
    const isRow =
      line.cells.length > 1 && [before, after].some((one) => one !== undefined && one.cells.length > 1);
    if (isRow) {
      this.#flush();
      this.#text.row(line.cells);
      return;
    }
    const gap = before === undefined ? 0 : before.y - line.y;
    const isNew =
      before !== undefined && (gap > PARAGRAPH_GAP * spacing || gap < 0 || /^[•▪‣◦–]\s/.test(words));
    if (isNew && !(gap < 0 && this.#goesOn(line))) this.#flush();
    this.#paragraph = joinedWords(this.#paragraph, words);
  }

  #levelOf({ size }: Line, words: string): number | undefined {
    if (words.length > MOST_HEADING_CHARACTERS || !/\p{L}/u.test(words)) return undefined;
    const marked = this.#outline.get(words) ?? this.#outline.get(words.replace(/^[\d.]+\s+/, ''));
    if (marked !== undefined) return marked;
    const place = this.#headingSizes.indexOf(Math.round(2 * size) / 2);
    return place === -1 ? undefined : Math.min(place + 1, 6);
  }

  #flush(): void {
    if (/^[•▪‣◦–]\s/.test(this.#paragraph)) this.#text.item(this.#paragraph.slice(1));
    else this.#text.paragraph(this.#paragraph);
    this.#paragraph = '';
  }
}

/** Rejoins a word that is hyphenated at the line's end. */
function joinedWords(text: string, next: string): string {
  if (text === '') return next;
  return /\p{Ll}[-\xad\u2010]$/u.test(text) && /^\p{Ll}/u.test(next)
    ? text.slice(0, -1) + next
    : `${text} ${next}`;
}

/** The most frequent distance between lines. */
function usualSpacing(lines: readonly Line[]): number {
  const gaps = lines
    .flatMap(({ y }, n) => (n === 0 ? [] : (lines[n - 1]?.y ?? y) - y))
    .filter((gap) => gap > 0)
    .sort((a, b) => a - b);
  return gaps[gaps.length >> 1] ?? Infinity;
}

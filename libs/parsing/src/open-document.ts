import { instant } from './dates.ts';
import { fault, type ParsedDocument } from './parsed-document.ts';
import { inline, StructuredText } from './structured-text.ts';
import { readXml, textsIn } from './xml.ts';
import type { Zip } from './zip.ts';

/** A cell or row may say that it comes again so often; empty ones say so to the sheet's end. */
const MOST_REPEATED = 64;

/** One that is covered by another is empty. */
const CELL = /^table:(?:covered-)?table-cell$/;

/** What stands in a document, and is no part of its text: what was deleted, what others say of it. */
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
  const text = new StructuredText();
  /** Of the paragraph that is read, and the words that were read of it before the note that is read now. */
  let notes: string[] = [];
  let around: string[] | undefined;
  let slides = 0;
  let words: string[] = [];
  let level: number | undefined;
  let lists = 0;
  let row: { cells: string[]; repeated: number; empty: number } | undefined;
  let isApart = 0;
  /** Of what stands first on a slide. */
  let isTitle = false;
  const flush = (): void => {
    const whole = words.join('');
    words = [];
    if (whole.trim() === '') return;
    if (isTitle) text.heading(1, whole);
    else if (level !== undefined) text.heading(level, whole);
    else if (lists > 0) text.item(whole, lists - 1);
    else text.paragraph(whole);
    isTitle = false;
    for (const note of notes) text.paragraph(note);
    notes = [];
  };
  readXml(await zip.text('content.xml'), {
    open: (name, attributes) => {
      if (name === 'draw:page') {
        slides += 1;
        text.page(slides);
        isTitle = true;
      } else if (name === 'table:table' && type === 'ods') text.heading(1, attributes['table:name'] ?? '');
      else if (name === 'text:h' && isApart === 0) level = Number(attributes['text:outline-level'] ?? 1) || 1;
      else if (name === 'text:list') lists += 1;
      else if (name === 'table:table-row') row = { cells: [], repeated: 1, empty: 0 };
      else if (CELL.test(name) && row !== undefined)
        row.repeated = Math.min(Number(attributes['table:number-columns-repeated'] ?? 1) || 1, MOST_REPEATED);
      else if (name === 'text:s') words.push(' ');
      else if (name === 'text:tab' || name === 'text:line-break') words.push(' ');
      else if (APART.has(name)) isApart += 1;
      else if (name === 'text:note') {
        around = words;
        words = [];
      }
    },
    close: (name) => {
      if (APART.has(name)) isApart -= 1;
      else if (name === 'text:note' && around !== undefined) {
        notes.push(words.join(''));
        words = around;
        around = undefined;
      } else if (name === 'text:list') lists -= 1;
      else if (CELL.test(name) && row !== undefined) {
        const cell = words.join('').trim();
        words = [];
        if (cell === '') row.empty = Math.min(row.empty + row.repeated, MOST_REPEATED);
        else {
          // Empty cells in front of others keep these in their columns.
          for (; row.empty > 0; row.empty -= 1) row.cells.push('');
          for (let n = 0; n < row.repeated; n += 1) row.cells.push(cell);
        }
      } else if (name === 'table:table-row' && row !== undefined) {
        text.row(row.cells);
        row = undefined;
      } else if (name === 'table:table') text.endTable();
      else if (name === 'text:h' || name === 'text:p') {
        if (row === undefined && around === undefined && isApart === 0) flush();
        else if (isApart === 0) words.push(' ');
        if (around === undefined) level = undefined;
      }
    },
    text: (some) => {
      if (isApart === 0) words.push(some);
    },
  });
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

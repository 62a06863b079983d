import { fault, type ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';
import { readXml, relationsIn } from './xml.ts';
import { dateStylesIn, shownDate } from './workbook-dates.ts';
import type { Zip } from './zip.ts';

/** The maximum number of cells of a sheet; a larger one is data that is better submitted as CSV. */
const MOST_ROWS = 100_000;
/** The maximum number of empty cells written between two others; a cell further away is written on its own. */
const MOST_EMPTY = 64;

/** The shared data needed to read cells. */
interface Workbook {
  shared: readonly string[];
  dateStyles: ReadonlySet<number>;
  is1904: boolean;
}

/** Reads an Excel workbook: one section per sheet, with its rows as a table. */
export async function parseWorkbook(zip: Zip): Promise<ParsedDocument> {
  const relations = relationsIn(await zip.text('xl/_rels/workbook.xml.rels'), 'xl/');
  const sheets: { name: string; path: string }[] = [];
  let is1904 = false;
  readXml(await zip.text('xl/workbook.xml'), {
    open: (tag, { name = '', 'r:id': id = '', date1904 = '' }) => {
      const path = local(tag) === 'sheet' ? relations.get(id) : undefined;
      if (path !== undefined) sheets.push({ name, path });
      if (local(tag) === 'workbookPr') is1904 = date1904 === '1' || date1904 === 'true';
    },
  });
  const shared = sharedStrings(await zip.text('xl/sharedStrings.xml'));
  const workbook = { shared, dateStyles: dateStylesIn(await zip.text('xl/styles.xml')), is1904 };
  const text = new StructuredText();
  for (const { name, path } of sheets) {
    text.heading(1, name);
    writeSheet(await zip.text(path), workbook, text);
  }
  return { title: undefined, ...text.finish(), metadata: { type: 'xlsx' } };
}

function sharedStrings(source: string): string[] {
  const strings: string[] = [];
  let current: string | undefined;
  let isPhonetic = false;
  if (source === '') return strings;
  readXml(source, {
    open: (name) => {
      if (local(name) === 'si') current = '';
      else if (local(name) === 'rPh') isPhonetic = true;
    },
    close: (name) => {
      if (local(name) === 'rPh') isPhonetic = false;
      if (local(name) !== 'si') return;
      strings.push(current ?? '');
      current = undefined;
    },
    text: (text) => {
      if (current !== undefined && !isPhonetic) current += text;
    },
  });
  return strings;
}

function writeSheet(source: string, workbook: Workbook, text: StructuredText): void {
  if (source === '') return;
  let rows = 0;
  let cells: string[] = [];
  let column = 0;
  let cell = { kind: '', style: 0 };
  let value: string | undefined;
  readXml(source, {
    open: (name, { t = '', r = '', s = '0' }) => {
      switch (local(name)) {
        case 'row':
          cells = [];
          column = 0;
          break;
        case 'c': {
          cell = { kind: t, style: Number(s) };
          // Files omit empty cells.
          const place = columnOf(r) ?? column + 1;
          const skipped = Math.min(Math.max(0, place - column - 1), MOST_EMPTY);
          for (let n = 0; n < skipped; n += 1) cells.push('');
          cells.push('');
          column = place;
          break;
        }
        case 'v':
        case 't':
          value = '';
      }
    },
    close: (name) => {
      if (local(name) === 'v' || local(name) === 't') {
        cells[cells.length - 1] += shown(value ?? '', cell, workbook);
        value = undefined;
      } else if (local(name) === 'row') {
        rows += 1;
        if (rows > MOST_ROWS)
          throw fault(
            'parsing_limit',
            `a sheet has more than ${MOST_ROWS} rows; save it as CSV and submit that`,
          );
        text.row(cells);
      }
    },
    text: (some) => {
      if (value !== undefined) value += some;
    },
  });
  text.endTable();
}

function shown(
  value: string,
  { kind, style }: { kind: string; style: number },
  { shared, dateStyles, is1904 }: Workbook,
): string {
  if (kind === 's') return shared[Number(value)] ?? value;
  if (kind === 'b') return value === '1' ? 'TRUE' : 'FALSE';
  const isNumber = kind === '' || kind === 'n';
  return isNumber && dateStyles.has(style) ? shownDate(value, is1904) : value;
}

/** The column number: 3 for `C7`. */
function columnOf(reference: string): number | undefined {
  const [, letters] = /^([A-Z]{1,3})\d+$/.exec(reference) ?? [];
  if (letters === undefined) return undefined;
  return [...letters].reduce((sum, letter) => 26 * sum + letter.charCodeAt(0) - 64, 0);
}

/** Removes the prefix that some programs give all element names. */
function local(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

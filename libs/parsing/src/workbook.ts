import { fault, type ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';
import { readXml, relationsIn } from './xml.ts';
import type { Zip } from './zip.ts';

/** Of a sheet; a larger one is data, and better submitted as CSV. */
const MOST_ROWS = 100_000;

/** Reads an Excel workbook: a section a sheet, its rows as a table. */
export async function parseWorkbook(zip: Zip): Promise<ParsedDocument> {
  const relations = relationsIn(await zip.text('xl/_rels/workbook.xml.rels'), 'xl/');
  const sheets: { name: string; path: string }[] = [];
  readXml(await zip.text('xl/workbook.xml'), {
    open: (tag, { name = '', 'r:id': id = '' }) => {
      const path = tag === 'sheet' ? relations.get(id) : undefined;
      if (path !== undefined) sheets.push({ name, path });
    },
  });
  const shared = sharedStrings(await zip.text('xl/sharedStrings.xml'));
  const text = new StructuredText();
  for (const { name, path } of sheets) {
    text.heading(1, name);
    writeSheet(await zip.text(path), shared, text);
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
      if (name === 'si') current = '';
      else if (name === 'rPh') isPhonetic = true;
    },
    close: (name) => {
      if (name === 'rPh') isPhonetic = false;
      if (name !== 'si') return;
      strings.push(current ?? '');
      current = undefined;
    },
    text: (text) => {
      if (current !== undefined && !isPhonetic) current += text;
    },
  });
  return strings;
}

function writeSheet(source: string, shared: readonly string[], text: StructuredText): void {
  if (source === '') return;
  let rows = 0;
  let cells: string[] = [];
  let kind = '';
  let value: string | undefined;
  readXml(source, {
    open: (name, { t = '' }) => {
      if (name === 'row') cells = [];
      else if (name === 'c') {
        kind = t;
        cells.push('');
      } else if (name === 'v' || name === 't') value = '';
    },
    close: (name) => {
      if (name === 'v' || name === 't') {
        const found = kind === 's' ? shared[Number(value)] : value;
        cells[cells.length - 1] += found ?? '';
        value = undefined;
      } else if (name === 'row') {
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

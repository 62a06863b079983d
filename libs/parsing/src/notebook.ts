import { fault, type ParsedDocument } from './parsed-document.ts';
import { writeMarkdown } from './markdown.ts';
import { StructuredText } from './structured-text.ts';

interface Cell {
  cell_type?: unknown;
  source?: unknown;
  /** The name in notebooks before version 4. */
  input?: unknown;
}

/** Reads a Jupyter notebook: its text, and its code as code. The code's output is omitted. */
export function parseNotebook(source: string): ParsedDocument {
  const text = new StructuredText();
  for (const cell of cellsIn(source)) {
    const words = [cell.source ?? cell.input].flat().join('');
    if (cell.cell_type === 'markdown') writeMarkdown(words, text);
    else if (cell.cell_type === 'code') text.code(words);
    else text.lines(words);
  }
  return { title: text.firstHeading, ...text.finish(), metadata: { type: 'notebook' } };
}

function cellsIn(source: string): Cell[] {
  const { cells, worksheets = [] } = JSON.parse(source) as {
    cells?: Cell[];
    worksheets?: { cells?: Cell[] }[];
  };
  const found = cells ?? worksheets.flatMap(({ cells: own = [] }) => own);
  if (!Array.isArray(found)) throw fault('document_unreadable', 'the notebook has no list of cells');
  return found;
}

import { spokenHead, type Hit } from '@embedmill/jobs';
import type { Terminal } from './terminal.ts';
import { columnsOf, cut, oneLine } from './text.ts';

/** The widest id that others are aligned to. */
const ID_COLUMNS = 24;
/** Characters that are shown before the first highlight. */
const BEFORE_HIGHLIGHT = 40;

/** One line a hit: score, id, title, and as much of the text as fits; explanations on lines below. */
export function hitLines(hits: readonly Hit[], terminal: Terminal, width = terminal.width): string[] {
  const ids = hits.map(({ id }) => oneLine(id));
  const idColumns = Math.min(ID_COLUMNS, Math.max(0, ...ids.map(columnsOf)));
  return hits.flatMap(({ score, title, text, chunk, highlights, explanation }, at) => {
    const id = cut(ids[at] ?? '', ID_COLUMNS);
    const used = score.toFixed(3).length + 2 + idColumns + 2;
    const place = spokenHead(title, chunk.headings) ?? '';
    const heading = cut(oneLine(place), Math.max(0, width - used));
    const left = width - used - columnsOf(heading) - (heading === '' ? 0 : 2);
    const shown = highlights === undefined ? text : marked(text, chunk.start, highlights);
    const body = cut(oneLine(shown), Math.max(0, left));
    const line = [
      terminal.style('cyan', score.toFixed(3)),
      terminal.style('dim', id) + ' '.repeat(idColumns - columnsOf(id)),
      ...(heading === '' ? [] : [terminal.style('bold', heading)]),
      ...(body === '' ? [] : [body]),
    ].join('  ');
    return explanation === undefined ? [line] : [line, ...explanationLines(explanation, terminal, width)];
  });
}

/** The text with its highlights in brackets, from a little before the first on. */
function marked(text: string, start: number, highlights: NonNullable<Hit['highlights']>): string {
  let shown = '';
  let at = 0;
  for (const range of highlights) {
    const [from, to] = [range.start - start, range.end - start];
    shown += `${text.slice(at, from)}[${text.slice(from, to)}]`;
    at = to;
  }
  const first = highlights[0] === undefined ? 0 : highlights[0].start - start;
  const skipped = first > BEFORE_HIGHLIGHT ? text.indexOf(' ', first - BEFORE_HIGHLIGHT) + 1 : 0;
  return (skipped > 0 ? `… ${shown.slice(skipped)}` : shown) + text.slice(at);
}

/** A line a scheme: its terms and their shares of what it gave. */
function explanationLines(
  terms: NonNullable<Hit['explanation']>,
  terminal: Terminal,
  width: number,
): string[] {
  return [...Map.groupBy(terms, ({ scheme }) => scheme)].map(([scheme, of]) => {
    const shares = of.map(({ term, share }) => `${term} ${Math.round(share * 100)} %`).join(', ');
    return terminal.style('dim', cut(`       ${scheme}: ${oneLine(shares)}`, width));
  });
}

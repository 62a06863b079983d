import type { Hit } from '@embedmill/jobs';
import type { Terminal } from './terminal.ts';
import { columnsOf, cut, oneLine } from './text.ts';

/** The widest id that others are aligned to. */
const ID_COLUMNS = 24;

/** One line a hit: score, id, title, and as much of the text as fits into the width. */
export function hitLines(hits: readonly Hit[], terminal: Terminal, width = terminal.width): string[] {
  const ids = hits.map(({ id }) => oneLine(id));
  const idColumns = Math.min(ID_COLUMNS, Math.max(0, ...ids.map(columnsOf)));
  return hits.map(({ score, title, text }, at) => {
    const id = cut(ids[at] ?? '', ID_COLUMNS);
    const used = score.toFixed(3).length + 2 + idColumns + 2;
    const heading = title === null ? '' : cut(oneLine(title), Math.max(0, width - used));
    const left = width - used - columnsOf(heading) - (heading === '' ? 0 : 2);
    const body = cut(oneLine(text), Math.max(0, left));
    return [
      terminal.style('cyan', score.toFixed(3)),
      terminal.style('dim', id) + ' '.repeat(idColumns - columnsOf(id)),
      ...(heading === '' ? [] : [terminal.style('bold', heading)]),
      ...(body === '' ? [] : [body]),
    ].join('  ');
  });
}

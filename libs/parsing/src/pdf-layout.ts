/** A run of text on a page with its position; `y` grows upwards. */
export interface Run {
  text: string;
  x: number;
  y: number;
  width: number;
  size: number;
}

/** Consecutive runs in one line; in a table, each cell is a separate segment. */
export interface Line {
  cells: string[];
  x: number;
  right: number;
  y: number;
  size: number;
}

/** Runs nearer than this, as a multiple of the font size, belong to one cell. */
const CELL_GAP = 1;
/** Runs at least this far apart are separated by a space. */
const WORD_GAP = 0.12;
/** The share of a page’s lines that may cross the gap between two columns, such as titles and wide figures. */
const MOST_CROSSING = 0.3;
const LEAST_COLUMN_LINES = 4;
/** The minimum length of a line of prose; most table cells are shorter. */
const LEAST_COLUMN_CHARACTERS = 18;

/** A page's lines in reading order: column after column, with spanning lines in between. Pure. */
export function linesOf(runs: readonly Run[]): Line[] {
  return inColumns(segmentsOf(runs)).flatMap(joinedLines);
}

/** Joins adjacent runs to segments of lines, from the top. */
function segmentsOf(runs: readonly Run[]): Line[] {
  const sorted = runs.filter(({ text }) => text.trim() !== '').toSorted((a, b) => b.y - a.y || a.x - b.x);
  const rows: Run[][] = [];
  for (const run of sorted) {
    const row = rows.at(-1);
    const first = row?.[0];
    const isSame = first !== undefined && Math.abs(first.y - run.y) < 0.45 * Math.max(first.size, run.size);
    if (isSame) row?.push(run);
    else rows.push([run]);
  }
  return rows.flatMap((row) => {
    const segments: Line[] = [];
    for (const { text, x, y, width, size } of row.toSorted((a, b) => a.x - b.x)) {
      const last = segments.at(-1);
      const gap = last === undefined ? Infinity : (x - last.right) / Math.max(size, last.size);
      if (last === undefined || gap > CELL_GAP) {
        segments.push({ cells: [text], x, right: x + width, y, size });
        continue;
      }
      const before = last.cells[0] ?? '';
      const isApart = gap > WORD_GAP && !/\s$/.test(before) && !/^\s/.test(text);
      last.cells[0] = before + (isApart ? ' ' : '') + text;
      last.right = Math.max(last.right, x + width);
      last.size = Math.max(last.size, size);
    }
    return segments;
  });
}

/** Groups of segments that are read separately. */
function inColumns(segments: readonly Line[]): Line[][] {
  const gutter = gutterOf(segments);
  if (gutter === undefined) return [[...segments]];
  const groups: Line[][] = [];
  let [left, right]: [Line[], Line[]] = [[], []];
  const flush = (): void => {
    for (const side of [left, right]) if (side.length > 0) groups.push(...inColumns(side));
    [left, right] = [[], []];
  };
  for (const segment of segments) {
    if (segment.right <= gutter) left.push(segment);
    else if (segment.x >= gutter) right.push(segment);
    else {
      flush();
      groups.push([segment]);
    }
  }
  flush();
  return groups;
}

/** The position of the gap between two columns of prose; undefined if there is none. */
function gutterOf(segments: readonly Line[]): number | undefined {
  if (segments.length < 2 * LEAST_COLUMN_LINES) return undefined;
  const from = Math.min(...segments.map(({ x }) => x));
  const to = Math.max(...segments.map(({ right }) => right));
  let best: { at: number; crossing: number } | undefined;
  for (let part = 25; part <= 75; part += 1) {
    const at = from + ((to - from) * part) / 100;
    const crossing = segments.filter(({ x, right }) => x < at && right > at).length;
    if (best === undefined || crossing < best.crossing) best = { at, crossing };
  }
  if (best === undefined || best.crossing > MOST_CROSSING * segments.length) return undefined;
  const { at } = best;
  const sides = [segments.filter(({ right }) => right <= at), segments.filter(({ x }) => x >= at)];
  const areProse = sides.every(
    (side) =>
      side.length >= LEAST_COLUMN_LINES &&
      side.reduce((sum, { cells }) => sum + (cells[0]?.length ?? 0), 0) >=
        LEAST_COLUMN_CHARACTERS * side.length,
  );
  return areProse ? at : undefined;
}

/** Joins the segments of each line; several segments are a row of cells. */
function joinedLines(segments: readonly Line[]): Line[] {
  const lines: Line[] = [];
  for (const segment of segments) {
    const last = lines.at(-1);
    if (last !== undefined && Math.abs(last.y - segment.y) < 0.45 * Math.max(last.size, segment.size)) {
      last.cells.push(...segment.cells);
      last.right = Math.max(last.right, segment.right);
    } else lines.push({ ...segment, cells: [...segment.cells] });
  }
  return lines;
}

/** The lines at the top and bottom of pages that repeat, apart from page numbers. Pure. */
export function repeatedLines(pages: readonly (readonly Line[])[]): ReadonlySet<Line> {
  const margin = (lines: readonly Line[]): Line[] => {
    const sorted = lines.toSorted((a, b) => b.y - a.y);
    return sorted.length <= 4 ? sorted : [...sorted.slice(0, 2), ...sorted.slice(-2)];
  };
  const keyOf = ({ cells, y }: Line): string =>
    `${Math.round(y / 4)} ${cells.join(' ').replace(/\d+/g, '#').trim()}`;
  const counts = new Map<string, number>();
  for (const lines of pages) {
    for (const key of new Set(margin(lines).map(keyOf))) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const least = Math.max(3, pages.length * 0.4);
  return new Set(
    pages.flatMap((lines) => margin(lines).filter((line) => (counts.get(keyOf(line)) ?? 0) >= least)),
  );
}

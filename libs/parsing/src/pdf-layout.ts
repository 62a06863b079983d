/** A run of text on a page, as its position says; `y` grows upwards. */
export interface Run {
  text: string;
  x: number;
  y: number;
  width: number;
  size: number;
}

/** Runs that stand in one line, one behind another: of a table, each of its cells by itself. */
export interface Line {
  cells: string[];
  x: number;
  right: number;
  y: number;
  size: number;
}

/** Runs nearer than this, in sizes of their letters, are one cell. */
const CELL_GAP = 1;
/** And words apart by a space from this on. */
const WORD_GAP = 0.12;
/** What of a page’s lines may cross the gap between two columns: titles, wide figures. */
const MOST_CROSSING = 0.3;
const LEAST_COLUMN_LINES = 4;
/** Lines of prose are longer than most cells of tables. */
const LEAST_COLUMN_CHARACTERS = 18;

/** A page's lines in the order in which they are read: column after column, what spans them in its place. Pure. */
export function linesOf(runs: readonly Run[]): Line[] {
  return inColumns(segmentsOf(runs)).flatMap(joinedLines);
}

/** Runs that touch, as segments of a line; from the top. */
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

/** Groups of segments, each read by itself. */
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

/** Where the gap between two columns of prose is; undefined where there is none. */
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

/** Segments of one line put together: a row of cells where there are several. */
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

/** Of lines at the tops and bottoms of pages: those that come again and again, page numbers aside. Pure. */
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

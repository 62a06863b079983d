import { columnsOf } from '../../src/terminal/text.ts';

/**
 * What a terminal shows of what a program writes to it, over time: the lines, and at which second each looked how. Only the last
 * line changes, so it knows what embedmill and npm send: returns, erasing a line, columns and styles. Other sequences are
 * passed over.
 */
export class Screen {
  readonly lines: Line[] = [{ versions: [] }];
  readonly #columns: number;
  #cells: Cell[] = [];
  #column = 0;
  #style: Style = PLAIN;
  /** The beginning of a sequence whose end has not come yet. */
  #rest = '';
  /** The text came with this, so whatever it changed is seen from then on. */
  #at = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  write(text: string, atSeconds: number): void {
    this.#at = atSeconds;
    const whole = this.#rest + text;
    const end = UNFINISHED.exec(whole)?.index ?? whole.length;
    this.#rest = whole.slice(end);
    for (const [found, parameters, final] of whole.slice(0, end).matchAll(PIECES)) {
      if (final !== undefined) this.#obey(parameters ?? '', final);
      else if (found === '\n') this.#endLine();
      else if (found === '\r') this.#column = 0;
      else if (!found.startsWith(ESCAPE)) for (const character of found) this.#put(character);
    }
    this.#note();
  }

  #obey(parameters: string, final: string): void {
    if (final === 'm') this.#style = styled(this.#style, parameters);
    else if (final === 'G') this.#column = Math.max(0, Number(parameters || '1') - 1);
    else if (final === 'K') this.#erase(parameters);
  }

  #erase(parameters: string): void {
    if (parameters === '2') this.#cells = [];
    else if (parameters === '1') this.#cells.fill(SPACE, 0, this.#column + 1);
    else this.#cells.length = Math.min(this.#cells.length, this.#column);
  }

  #put(character: string): void {
    const columns = columnsOf(character);
    if (columns === 0) {
      const before = this.#cells[this.#column - 1];
      if (before !== undefined)
        this.#cells[this.#column - 1] = { text: before.text + character, style: before.style };
      return;
    }
    if (this.#column + columns > this.#columns) this.#endLine();
    while (this.#cells.length < this.#column) this.#cells.push(SPACE);
    this.#cells[this.#column] = { text: character, style: this.#style };
    // The second column of a wide character has a cell without text.
    if (columns === 2) this.#cells[this.#column + 1] = { text: '', style: this.#style };
    this.#column += columns;
  }

  #endLine(): void {
    this.#note();
    this.lines.push({ versions: [] });
    this.#cells = [];
    this.#column = 0;
  }

  /** Notes how the last line looks now, if that is new. What nobody could have read is not kept. */
  #note(): void {
    const { versions } = this.lines.at(-1) ?? { versions: [] };
    const runs = runsOf(this.#cells);
    const last = versions.at(-1);
    if (JSON.stringify(last?.runs ?? []) === JSON.stringify(runs)) return;
    if (last !== undefined && this.#at - last.from < LEAST_SECONDS) last.runs = runs;
    else versions.push({ from: this.#at, runs });
  }
}

export interface Style {
  readonly color: string | undefined;
  readonly weight: 'bold' | 'dim' | undefined;
}

/** Text of one style, without runs of spaces, from a column on. */
export interface Run {
  readonly column: number;
  readonly columns: number;
  readonly text: string;
  readonly style: Style;
}

export interface Version {
  readonly from: number;
  runs: Run[];
}

export interface Line {
  readonly versions: Version[];
}

interface Cell {
  readonly text: string;
  readonly style: Style;
}

const LEAST_SECONDS = 0.2;
const PLAIN: Style = { color: undefined, weight: undefined };
const SPACE: Cell = { text: ' ', style: PLAIN };
const ESCAPE = '\u001b';
/* eslint-disable no-control-regex */
const PIECES = /\u001b\[([\d;?]*)([A-Za-z])|\u001b\][^\u0007]*\u0007|\u001b[^[\]]|[\r\n]|[^\u001b\r\n]+/g;
const UNFINISHED = /\u001b(?:\[[\d;?]*|\][^\u0007]*)?$/;
/* eslint-enable no-control-regex */
const COLORS: Readonly<Record<number, string>> = { 31: 'red', 32: 'green', 33: 'yellow', 36: 'cyan' };

function styled(style: Style, parameters: string): Style {
  let { color, weight } = style;
  for (const code of parameters.split(';').map(Number)) {
    if (code === 0) color = weight = undefined;
    else if (code === 1 || code === 2) weight = code === 1 ? 'bold' : 'dim';
    else if (code === 22) weight = undefined;
    else if (code >= 30 && code <= 39) color = COLORS[code];
  }
  return { color, weight };
}

function runsOf(cells: readonly Cell[]): Run[] {
  const runs: Run[] = [];
  let from = 0;
  while (from < cells.length) {
    const style = cells[from]?.style ?? PLAIN;
    let to = from + 1;
    while (to < cells.length && isSame(cells[to]?.style ?? PLAIN, style)) to += 1;
    runs.push(...wordsOf(cells.slice(from, to), from, style));
    from = to;
  }
  return runs;
}

const isSame = (one: Style, other: Style): boolean =>
  one.color === other.color && one.weight === other.weight;

/** Parted at two spaces and more, so that what stands in columns stays there whatever the font. */
function wordsOf(cells: readonly Cell[], column: number, style: Style): Run[] {
  const runs: Run[] = [];
  let at = 0;
  while (at < cells.length) {
    while (cells[at]?.text === ' ') at += 1;
    const from = at;
    while (at < cells.length && !(isSpace(cells, at) && isSpace(cells, at + 1))) at += 1;
    const text = cells.slice(from, at).map((cell) => cell.text);
    if (text.length > 0)
      runs.push({ column: column + from, columns: text.length, text: text.join(''), style });
  }
  return runs;
}

const isSpace = (cells: readonly Cell[], at: number): boolean => (cells[at]?.text ?? ' ') === ' ';

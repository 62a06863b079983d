import type { Line, Run, Version } from './screen.ts';

/**
 * A recording as an SVG that any page can show as a picture: CSS moves it, no script. It begins again a while after its end.
 * Readers who prefer reduced motion see its last frame. Light and dark follow the reader's system.
 */
export function animationOf(lines: readonly Line[], look: Look): string {
  const { rows, columns, title } = look;
  const shown = lines.slice(0, lines.findLastIndex(({ versions }) => versions.length > 0) + 1);
  const end = Math.max(...shown.flatMap(({ versions }) => versions.map(({ from }) => from)));
  const keyframes = new Keyframes(end + HOLD_SECONDS);
  const appearing = appearances(shown);
  const texts = shown.flatMap(({ versions }, row) =>
    versions.map((version, at) => textOf(version, versions[at + 1]?.from, row, keyframes)),
  );
  const scrolled = keyframes.scrolling(appearing, rows);
  const width = 2 * MARGIN + columns * COLUMN;
  const height = BAR + 2 * MARGIN + rows * ROW;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="t">`,
    `<title id="t">${escaped(title)}</title>`,
    `<style>${CSS}${keyframes.css()}@media (prefers-reduced-motion:reduce){*{animation:none!important}}</style>`,
    `<rect class="window" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...[18, 38, 58].map((x) => `<circle class="button" cx="${x}" cy="${BAR / 2 + 2}" r="5"/>`),
    `<svg x="${MARGIN}" y="${BAR + MARGIN}" width="${columns * COLUMN}" height="${rows * ROW}">`,
    `<g${scrolled} style="transform:translateY(${-ROW * Math.max(0, shown.length - rows)}px)">`,
    ...texts,
    '</g>',
    '</svg>',
    '</svg>',
    '',
  ].join('\n');
}

export interface Look {
  readonly columns: number;
  readonly rows: number;
  readonly title: string;
}

const COLUMN = 8.4;
const ROW = 19;
const BAR = 26;
const MARGIN = 12;
const HOLD_SECONDS = 6;

const CSS = [
  'svg{--bg:#fff;--line:#d1d9e0;--fg:#1f2328;--dim:#59636e;--cyan:#0a6c85;--green:#1a7f37;--yellow:#8a5a00;--red:#cf222e}',
  '@media (prefers-color-scheme:dark){svg{--bg:#0d1117;--line:#3d444d;--fg:#e6edf3;--dim:#9198a1;--cyan:#56d4dd;--green:#3fb950;--yellow:#d29922;--red:#ff7b72}}',
  ".window{fill:var(--bg);stroke:var(--line)}.button{fill:var(--line)}text{fill:var(--fg);font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}",
  '.bold{font-weight:700}.dim{fill:var(--dim)}.cyan{fill:var(--cyan)}.green{fill:var(--green)}.yellow{fill:var(--yellow)}.red{fill:var(--red)}.past{visibility:hidden}',
].join('');

/** When each line was there for the first time; an empty one with the next that is not. */
function appearances(lines: readonly Line[]): number[] {
  let next = Infinity;
  return lines
    .toReversed()
    .map(({ versions }) => {
      next = versions[0]?.from ?? next;
      return next;
    })
    .toReversed();
}

/** How a line looked from one moment to another, or to the end. */
function textOf({ from, runs }: Version, to: number | undefined, row: number, keyframes: Keyframes): string {
  const classes = [keyframes.visible(from, to), ...(to === undefined ? [] : ['past'])];
  return `<g class="${classes.join(' ')}">${runs.map((run) => runOf(run, row)).join('')}</g>`;
}

function runOf({ column, columns, text, style }: Run, row: number): string {
  const classes = [style.color, style.weight].filter((one) => one !== undefined);
  const styled = classes.length === 0 ? '' : ` class="${classes.join(' ')}"`;
  // The length is said, so that columns are kept with any font, and with characters that another font has.
  return `<text${styled} x="${short(column * COLUMN)}" y="${row * ROW + 14}" textLength="${short(columns * COLUMN)}">${escaped(text)}</text>`;
}

/** The moments of the animation, each written once, as parts of the whole. */
class Keyframes {
  readonly #seconds: number;
  readonly #names = new Map<string, string>();

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** The class of what is seen from one moment to another, or to the end. */
  visible(from: number, to: number | undefined): string {
    const until = to === undefined ? '' : `${this.#part(to)}{visibility:hidden}`;
    return this.#named(`0%{visibility:hidden}${this.#part(from)}{visibility:visible}${until}`);
  }

  /** The class, as an attribute, that keeps the last rows in sight as lines appear. */
  scrolling(appearing: readonly number[], rows: number): string {
    const moves = appearing.map((from, row) => ({ from, up: row + 1 - rows })).filter(({ up }) => up > 0);
    if (moves.length === 0) return '';
    // Of lines that come at once, the last decides.
    const last = moves.filter(({ from }, at) => from !== moves[at + 1]?.from);
    const frames = last.map(({ from, up }) => `${this.#part(from)}{transform:translateY(${-ROW * up}px)}`);
    return ` class="${this.#named(`0%{transform:none}${frames.join('')}`)}"`;
  }

  css(): string {
    return [...this.#names]
      .map(
        ([frames, name]) =>
          `@keyframes ${name}{${frames}}.${name}{animation:${name} ${this.#seconds.toFixed(2)}s step-end infinite}`,
      )
      .join('\n');
  }

  #named(frames: string): string {
    const name = this.#names.get(frames) ?? `k${this.#names.size.toString(36)}`;
    this.#names.set(frames, name);
    return name;
  }

  #part(seconds: number): string {
    return `${short((100 * seconds) / this.#seconds)}%`;
  }
}

const short = (value: number): string => String(Math.round(value * 100) / 100);

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

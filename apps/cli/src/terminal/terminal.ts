/**
 * Where a command writes. Results go to standard output; progress, notes and errors to standard error, so that a
 * result can be piped. With --json there is one object on standard output, and no progress.
 *
 * Whatever is in ids, texts and messages, it is read and nothing more: characters that steer terminals go, and JSON
 * has them escaped.
 */
import { styleText } from 'node:util';
import { harmless } from './text.ts';

export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Of a terminal that does not tell, or says 0. */
const UNKNOWN_COLUMNS = 80;

type Style = 'bold' | 'dim' | 'cyan' | 'green' | 'yellow' | 'red';

export class Terminal {
  readonly json: boolean;
  readonly #out: Output;
  readonly #err: Output;
  readonly #coloured: boolean;

  constructor(out: Output, err: Output, options: { json: boolean; noColor: boolean }) {
    this.#out = out;
    this.#err = err;
    this.json = options.json;
    this.#coloured = !options.noColor;
  }

  /** A line of the result, for people. */
  print(line = ''): void {
    if (!this.json) this.#out.write(`${harmless(line)}\n`);
  }

  /** The result, for programs. */
  printJson(value: unknown): void {
    this.#out.write(`${escapedJson(value)}\n`);
  }

  /** Bytes that are passed on as they are. */
  pass(text: string): void {
    this.#out.write(text);
  }

  /** What is worth knowing beside the result. */
  note(line: string): void {
    if (!this.json) this.#err.write(`${harmless(line)}\n`);
  }

  /** What went wrong. */
  warn(line: string): void {
    this.#err.write(`${harmless(line)}\n`);
  }

  /** Whether progress can be drawn over itself. */
  get isLive(): boolean {
    return this.#err.isTTY === true && !this.json;
  }

  /** Replaces the line that the cursor is on. */
  redraw(line: string): void {
    this.#err.write(`\r\u001b[2K${line}`);
  }

  /** Columns of the progress display. */
  get progressWidth(): number {
    return this.#err.columns || UNKNOWN_COLUMNS;
  }

  /** Columns of the result; unlimited where it goes to a file or a pipe. */
  get width(): number {
    return this.#out.isTTY === true ? this.#out.columns || UNKNOWN_COLUMNS : Infinity;
  }

  /** The text in a style, where results are shown in colour. */
  style(style: Style, text: string): string {
    return this.#out.isTTY === true && this.#coloured
      ? styleText(style, text, { validateStream: false })
      : text;
  }

  /** The same for the progress display. */
  styleProgress(style: Style, text: string): string {
    return this.#err.isTTY === true && this.#coloured
      ? styleText(style, text, { validateStream: false })
      : text;
  }
}

/** JSON escapes the controls of ASCII by itself, but not these, which some terminals obey as well. */
function escapedJson(value: unknown): string {
  const code = (character: string) => character.charCodeAt(0).toString(16).padStart(4, '0');
  return JSON.stringify(value).replace(/[\u007f-\u009f]/g, (character) => `\\u${code(character)}`);
}

/**
 * The log of one process, in the data folder. Kept below twice `MOST_BYTES`: a full file becomes `<name>.1.log`,
 * replacing the one before it.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const MOST_BYTES = 16 * 1024 * 1024;

export class LogFile {
  readonly path: string;
  readonly #mostBytes: number;
  /** Undefined once it is closed. */
  #file: number | undefined;
  #bytes: number;

  constructor(path: string, mostBytes = MOST_BYTES) {
    this.path = path;
    this.#mostBytes = mostBytes;
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, 'a');
    this.#bytes = fstatSync(this.#file).size;
  }

  /** Appends a line; does nothing after `close`. */
  writeLine(line: string): void {
    let file = this.#file;
    if (file === undefined) return;
    const bytes = Buffer.from(`${line}\n`);
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#mostBytes) file = this.#turn(file);
    writeSync(file, bytes);
    this.#bytes += bytes.length;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #turn(file: number): number {
    closeSync(file);
    renameSync(this.path, this.path.replace(/(\.log)?$/, '.1.log'));
    this.#bytes = 0;
    return (this.#file = openSync(this.path, 'a'));
  }
}

/**
 * The log of one process, in the data folder. Kept below twice `MOST_BYTES`: a full file becomes `<name>.1.log`,
 * replacing the one before it.
 *
 * A log never fails whoever writes to it. What cannot be written, as on a full disk, is dropped; how many lines were is
 * said once lines can be written again.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const MOST_BYTES = 16 * 1024 * 1024;

export class LogFile {
  readonly path: string;
  readonly #mostBytes: number;
  /** Undefined while it cannot be opened, and once it is closed. */
  #file: number | undefined;
  #bytes = 0;
  #dropped = 0;
  /** Whether the last line that was begun is not whole. */
  #isTorn = false;
  #closed = false;

  constructor(path: string, mostBytes = MOST_BYTES) {
    this.path = path;
    this.#mostBytes = mostBytes;
    this.#attempt(() => this.#open());
  }

  /** Appends a line; does nothing after `close`. */
  writeLine(line: string): void {
    if (this.#closed) return;
    const isWritten = this.#attempt(() => {
      const lost = this.#dropped > 0 ? [lostLine(this.#dropped)] : [];
      const text = [...(this.#isTorn ? [''] : []), ...lost, line].map((one) => `${one}\n`).join('');
      this.#write(Buffer.from(text));
    });
    this.#dropped = isWritten ? 0 : this.#dropped + 1;
  }

  close(): void {
    this.#closed = true;
    this.#closeFile();
  }

  #write(bytes: Buffer): void {
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#mostBytes) this.#turn();
    const file = this.#file ?? this.#open();
    this.#isTorn = true;
    for (let at = 0; at < bytes.length;) {
      const written = writeSync(file, bytes, at);
      at += written;
      this.#bytes += written;
    }
    this.#isTorn = false;
  }

  #turn(): void {
    this.#closeFile();
    renameSync(this.path, this.path.replace(/(\.log)?$/, '.1.log'));
    this.#bytes = 0;
  }

  #open(): number {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const file = openSync(this.path, 'a', 0o600);
    this.#file = file;
    this.#bytes = fstatSync(file).size;
    return file;
  }

  #closeFile(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #attempt(action: () => unknown): boolean {
    try {
      action();
      return true;
    } catch {
      return false;
    }
  }
}

/** As the processes' own lines are. */
function lostLine(count: number): string {
  return JSON.stringify({
    level: 40,
    time: Date.now(),
    msg: `${count} lines could not be written to this log`,
  });
}

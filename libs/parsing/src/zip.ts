import { fromBuffer, type Entry, type ZipFile } from 'yauzl';
import { fault } from './parsed-document.ts';

const MOST_ENTRIES = 10_000;
const MIB = 1024 * 1024;
/** The limit for everything read from one file. */
const MOST_BYTES = 256 * MIB;

/** A zip whose entries are read by name, within limits, whatever sizes it claims. */
export class Zip {
  readonly #file: ZipFile;
  readonly #entries = new Map<string, Entry>();
  #read = 0;

  private constructor(file: ZipFile) {
    this.#file = file;
  }

  /** Errors: `document_unreadable`, `document_encrypted`, `parsing_limit`. */
  static async open(bytes: Uint8Array): Promise<Zip> {
    const file = await new Promise<ZipFile>((resolve, reject) =>
      fromBuffer(
        Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        { lazyEntries: true },
        (error, opened) => (error === null ? resolve(opened) : reject(error)),
      ),
    );
    if (file.entryCount > MOST_ENTRIES)
      throw fault(
        'parsing_limit',
        `the zip in the file has ${file.entryCount} entries, but at most ${MOST_ENTRIES} are supported`,
      );
    const zip = new Zip(file);
    await new Promise<void>((resolve, reject) => {
      file.on('error', reject).on('end', resolve);
      file.on('entry', (entry: Entry) => {
        zip.#entries.set(entry.fileName, entry);
        file.readEntry();
      });
      file.readEntry();
    });
    const declared = [...zip.#entries.values()].reduce(
      (sum, { uncompressedSize }) => sum + uncompressedSize,
      0,
    );
    if (declared > MOST_BYTES) throw tooLarge();
    return zip;
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** An entry as text; empty if there is none. */
  async text(name: string): Promise<string> {
    const bytes = await this.bytes(name);
    return bytes === undefined ? '' : new TextDecoder().decode(bytes);
  }

  async bytes(name: string): Promise<Buffer | undefined> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (entry.isEncrypted())
      throw fault('document_encrypted', 'the content of the file is encrypted; save it without a password');
    const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) =>
      this.#file.openReadStream(entry, (error, opened) => (error === null ? resolve(opened) : reject(error))),
    );
    const parts: Buffer[] = [];
    for await (const part of stream) {
      this.#read += (part as Buffer).length;
      if (this.#read > MOST_BYTES) throw tooLarge();
      parts.push(part as Buffer);
    }
    return Buffer.concat(parts);
  }
}

function tooLarge(): Error {
  return fault('parsing_limit', `the file unpacks to more than ${MOST_BYTES / MIB} MiB`);
}

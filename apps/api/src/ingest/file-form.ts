import { on, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { EmbedmillError, formatOfMediaType, formatOfName } from '@embedmill/jobs';
import { MOST_FILES } from '@embedmill/sources';
import { pacedBytes, USUAL_PACE } from '../http/body-pace.ts';
import type { NamedFile } from '../sources/source-files.ts';

/** The names of a form's parts: a file, or a place that the server reads itself. */
export const FORM_PARTS = { file: 'file', place: 'place' } as const;
/** The maximum in one request; each may represent many files. */
export const MOST_PLACES = 1000;
const MOST_NAME_CHARACTERS = 1024;
const LIMITS = {
  files: MOST_FILES,
  fields: MOST_PLACES,
  fieldSize: 8192,
  headerPairs: 20,
  headerSize: 16 * 1024,
};

/**
 * The files of a `multipart/form-data` body. Read `packed` to its end first: it streams the files' bytes, concatenated,
 * with backpressure. Afterwards `files` has the position of each file in it, and `places` the places that the server
 * should also read.
 */
export class FileForm {
  readonly files: NamedFile[] = [];
  /** The values of its parts that are not files. */
  readonly fields: [name: string, value: string][] = [];
  readonly #body: IncomingMessage;
  readonly #file: string;
  readonly #named: readonly string[];
  #size = 0;

  /** `file` is the name of file parts; `fields` are the allowed names of others. */
  constructor(
    body: IncomingMessage,
    {
      file = FORM_PARTS.file,
      fields = [FORM_PARTS.place],
    }: { file?: string; fields?: readonly string[] } = {},
  ) {
    this.#body = body;
    this.#file = file;
    this.#named = fields;
  }

  get places(): string[] {
    return this.fields.map(([, value]) => value);
  }

  /** Errors: `invalid_request` for a malformed form, `body_too_slow`, and those of a broken connection. */
  async *packed(): AsyncGenerator<Uint8Array> {
    const form = this.#open();
    const stop = new AbortController();
    let wrong: Error | undefined;
    const open = new Set<BusboyFileStream>();
    const fail = (error: Error): void => {
      wrong ??= error;
      stop.abort();
      for (const file of open) file.destroy(wrong);
    };
    form.on('error', (error: Error) => fail(notAForm(error.message)));
    form.on('filesLimit', () => fail(tooMany(LIMITS.files, 'files')));
    form.on('fieldsLimit', () => fail(tooMany(LIMITS.fields, 'places')));
    form.on('field', (name: string, value: string, _: boolean, isCut: boolean) => {
      if (!this.#named.includes(name) || isCut) fail(this.#strange(name));
      else this.fields.push([name, value]);
    });
    form.on('file', (_: string, stream: BusboyFileStream) => {
      open.add(stream);
      stream.once('close', () => open.delete(stream)).on('error', () => undefined);
    });
    // Attached before anything is written, so that no part is missed.
    const parts = on(form, 'file', { close: ['finish'], signal: stop.signal });
    const written = this.#write(form, stop.signal).catch((error: unknown) => fail(error as Error));
    try {
      for await (const [field, stream, name, , type] of parts as AsyncIterable<Part>) {
        if (field !== this.#file) throw this.#strange(field);
        const file = namedFile(name, type);
        const offset = this.#size;
        for await (const bytes of stream as AsyncIterable<Buffer>) {
          this.#size += bytes.length;
          yield bytes;
        }
        this.files.push({ ...file, at: { kind: 'packed', offset, size: this.#size - offset } });
      }
      await written;
      if (wrong !== undefined) throw wrong;
    } catch (thrown) {
      throw wrong ?? thrown;
    } finally {
      fail(new Error('nothing reads the files'));
    }
  }

  #strange(name: string): EmbedmillError {
    const others = this.#named.map((one) => ` nor a "${one}"`).join('');
    return notAForm(
      `it has a part ${JSON.stringify(name.slice(0, 100))}, which is neither a "${this.#file}"${others}`,
    );
  }

  #open(): BusboyInstance {
    const type = this.#body.headers['content-type'] ?? '';
    try {
      return new Busboy({
        headers: { 'content-type': type },
        limits: LIMITS,
        preservePath: true,
      });
    } catch (error) {
      throw notAForm((error as Error).message);
    }
  }

  async #write(form: BusboyInstance, signal: AbortSignal): Promise<void> {
    for await (const bytes of pacedBytes(this.#body, USUAL_PACE)) {
      if (signal.aborted) return;
      if (!form.write(bytes)) await once(form, 'drain', { signal });
    }
    form.end();
  }
}

type Part = [
  field: string,
  stream: BusboyFileStream,
  name: string | undefined,
  encoding: string,
  type: string,
];

function namedFile(name: string | undefined, type: string): Omit<NamedFile, 'at'> {
  if (name === undefined || name === '' || name.length > MOST_NAME_CHARACTERS || !name.isWellFormed())
    throw notAForm(`a file has no name, or one of more than ${MOST_NAME_CHARACTERS} characters`);
  const byName = formatOfName(name);
  const named = byName.format === undefined ? { ...formatOfMediaType(type), gzip: byName.gzip } : byName;
  return { name, named };
}

function notAForm(why: string): EmbedmillError {
  return new EmbedmillError(
    'invalid_request',
    `the multipart/form-data cannot be read: ${why}; send each file as a part "file" with its name`,
  );
}

function tooMany(most: number, what: string): EmbedmillError {
  return new EmbedmillError(
    'payload_too_large',
    `the form has more than ${most} ${what}; submit them in several jobs`,
  );
}

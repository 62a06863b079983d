import { glob, stat } from 'node:fs/promises';
import { posix, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { randomUUID } from 'node:crypto';
import type { SourceFormat } from '@embedmill/jobs';
import { filesBelow, isTaken } from '@embedmill/sources';
import { CommandError, usageError } from '../exit.ts';
import { documentSource, isPattern, type DocumentSource } from './document-source.ts';

/** A file of this machine, under the name that the job knows it by. */
export interface LocalFile {
  name: string;
  size: number;
  stream: () => Readable;
}

/** What the arguments of a submission name: files here, and places that the server reads itself. */
export interface FilesToSubmit {
  files: LocalFile[];
  places: string[];
  /** Files in folders that were passed over. */
  skipped: string[];
}

/** What many files are sent as; the same each time that it is opened. */
export const FORM_TYPE = 'multipart/form-data';
const REMOTE = /^(?:https?|s3):\/\//;
const LINE_END = '\r\n';

export function isPlace(argument: string): boolean {
  return REMOTE.test(argument);
}

/**
 * Finds the files that arguments name: files, folders with all that is below them, and patterns such as `data/*.csv` of
 * either, each file once. In folders, hidden files and those whose names do not say their format are passed over, the
 * latter not where the format was said. Errors: a usage error for what is not there, and where there is nothing.
 */
export async function filesToSubmit(
  args: readonly string[],
  format: SourceFormat | undefined,
): Promise<FilesToSubmit> {
  const found: FilesToSubmit = { files: [], places: args.filter(isPlace), skipped: [] };
  const seen = new Set<string>();
  for (const argument of args) {
    if (isPlace(argument)) continue;
    for (const path of await pathsOf(argument)) await add(path);
  }
  if (found.files.length + found.places.length > 0) return found;
  const others =
    found.skipped.length === 0 ? 'it is empty' : `${passedOver(found.skipped)}; set their --format`;
  throw usageError(`there are no files to submit in ${args.join(', ')}: ${others}`);

  async function add(path: string): Promise<void> {
    const info = await stat(path).catch((error: unknown) => {
      throw usageError(`${path} cannot be read: ${(error as Error).message}`);
    });
    if (!info.isDirectory()) return addFile(path, nameOf(path));
    for await (const way of filesBelow(path)) {
      const name = posix.join(nameOf(path), way);
      if (isTaken(way, format !== undefined)) await addFile(posix.join(path, way), name);
      else found.skipped.push(name);
    }
  }

  async function addFile(path: string, name: string): Promise<void> {
    const whole = resolve(path);
    if (seen.has(whole)) return;
    seen.add(whole);
    const { size, stream, repeatable } = await documentSource(path, { format });
    if (size === undefined || !repeatable)
      throw usageError(`${path} is not a regular file; submit it by itself`);
    found.files.push({ name, size, stream });
  }
}

/** A file or folder of that name, else what it matches as a pattern. */
async function pathsOf(argument: string): Promise<string[]> {
  const isThere = await stat(argument).then(
    () => true,
    () => false,
  );
  if (isThere || !isPattern(argument)) return [argument];
  const matches = (await Array.fromAsync(glob(argument))).sort();
  if (matches.length === 0) throw usageError(`${argument} matches nothing`);
  return matches;
}

function nameOf(path: string): string {
  return posix.normalize(path.split(sep).join('/')).replace(/\/$/, '');
}

/** How many files were passed over, and which for example. */
export function passedOver(skipped: readonly string[]): string {
  return `${skipped.length} files are hidden or have names that show no supported format, such as ${skipped[0]}`;
}

/** The files as one body of a form, which names the places beside them. */
export function formOf({ files, places }: FilesToSubmit): DocumentSource {
  const boundary = `embedmill-${randomUUID()}`;
  const head = (headers: string) =>
    Buffer.from(`--${boundary}${LINE_END}Content-Disposition: form-data; ${headers}${LINE_END}${LINE_END}`);
  const placeParts = places.map((place) =>
    Buffer.concat([head('name="place"'), Buffer.from(`${place}${LINE_END}`)]),
  );
  const heads = files.map(({ name }) =>
    head(`name="file"; filename="${escaped(name)}"${LINE_END}Content-Type: application/octet-stream`),
  );
  const end = Buffer.from(`--${boundary}--${LINE_END}`);
  const fixed = [...placeParts, ...heads, end].reduce((sum, { length }) => sum + length, 0);
  const size = files.reduce((sum, file) => sum + file.size + LINE_END.length, fixed);

  async function* body(): AsyncGenerator<Buffer> {
    yield* placeParts;
    for (const [n, file] of files.entries()) {
      yield heads[n] ?? Buffer.alloc(0);
      let given = 0;
      for await (const bytes of file.stream()) {
        given += (bytes as Buffer).length;
        yield bytes as Buffer;
      }
      if (given !== file.size)
        throw new CommandError(`${file.name} changed while it was sent; submit it again`);
      yield Buffer.from(LINE_END);
    }
    yield end;
  }

  return {
    stream: () => Readable.from(body(), { objectMode: false }),
    size,
    repeatable: true,
    type: `${FORM_TYPE}; boundary=${boundary}`,
  };
}

/** As browsers do it. */
function escaped(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

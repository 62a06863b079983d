import {
  assertReadingFits,
  EmbedmillError,
  encodingOfNamed,
  formatOfName,
  readingOf,
  type JobId,
  type NamedFormat,
  type SaidFormat,
  type SourceEncoding,
} from '@embedmill/jobs';
import type { JobSource } from '@embedmill/queue';
import {
  faultOfFile,
  MOST_FILES,
  openLocalFiles,
  openS3Files,
  redacted,
  writeFileList,
  type ListedFile,
  type Spool,
} from '@embedmill/sources';

/** Of what the server may read itself. */
export interface Readable {
  sourceFolder: string | undefined;
  s3Sources: readonly string[];
  s3: Spool['s3'];
}

/** A file as it was found, before it is said how it is read. */
export interface NamedFile {
  name: string;
  at: ListedFile['at'];
  named: NamedFormat & { gzip?: boolean; encoding?: string };
}

/**
 * The files at places that the server reads itself: URLs, `s3://bucket/key`, what begins with `s3://bucket/prefix/`,
 * paths of files, and of folders with all that is below. Of what nobody named by itself, hidden files are passed over,
 * and those whose names do not say their format. Errors: `source_forbidden`, `source_unreadable`, also where a place has
 * none, `source_unavailable`, `payload_too_large`.
 */
export async function filesAt(
  places: readonly string[],
  isAnyFormat: boolean,
  { sourceFolder, s3Sources, s3 }: Readable,
): Promise<NamedFile[]> {
  const files: NamedFile[] = [];
  for (const place of places) {
    if (/^https?:\/\//i.test(place)) {
      const named = formatOfName(URL.parse(place)?.pathname ?? '');
      files.push({ name: redacted(place), at: { kind: 'url', url: place }, named });
      continue;
    }
    const found = place.startsWith('s3://')
      ? await openS3Files(place, s3Sources, s3, isAnyFormat)
      : await openLocalFiles(place, sourceFolder, isAnyFormat);
    if (found.files.length === 0) throw noFiles(place, found.skipped);
    files.push(...found.files.map(({ name, at }) => ({ name, at, named: formatOfName(name) })));
  }
  return files;
}

/** Files with how each is read; one of which that makes no sense is listed with its reason. Errors: `invalid_request`. */
export function readAs(files: readonly NamedFile[], said: SaidFormat): ListedFile[] {
  if (files.length > MOST_FILES) {
    const message = `there are ${files.length} files, but a job may have at most ${MOST_FILES}; submit them in several jobs`;
    throw new EmbedmillError('payload_too_large', message);
  }
  assertReadingFits(
    files.map(({ named }) => named),
    said,
  );
  return files.map(({ name, at, named }) => {
    try {
      // What a URL's answer is only it says.
      const reading = readingOf(named, said);
      const isSaid =
        named.format !== undefined ||
        named.gzip === true ||
        Object.values(reading).some((one) => one !== undefined);
      const encoding = at.kind === 'url' && !isSaid ? undefined : encodingOfFile(named, reading);
      return { name, at, encoding };
    } catch (thrown) {
      return { name, at: { kind: 'none', fault: faultOfFile(thrown) } };
    }
  });
}

/** What is of no format by its name, and was said to be of none, is looked at when it is read. */
function encodingOfFile(named: NamedFile['named'], reading: SaidFormat): SourceEncoding | undefined {
  const { columns, encoding } = reading;
  const isTold = [columns, encoding, named.encoding].some((one) => one !== undefined);
  const format = named.format ?? (isTold ? undefined : 'document');
  return encodingOfNamed({ ...named, format }, reading);
}

/** The source of a job of these files, which are listed in the spool. */
export async function sourceOfFiles(
  spool: Pick<Spool, 'receive'>,
  job: JobId,
  files: readonly ListedFile[],
): Promise<Extract<JobSource, { kind: 'files' }>> {
  const sizes = files.map(({ at }) => (at.kind === 'none' ? 0 : at.kind === 'url' ? undefined : at.size));
  const isKnown = sizes.every((size) => size !== undefined);
  const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  return {
    kind: 'files',
    list: await writeFileList(spool, job, files),
    bytes: isKnown ? bytes : undefined,
  };
}

/** What a job of these places shows as its source. */
export function labelOf(places: readonly string[], files: number): string {
  const [only] = places;
  return only !== undefined && places.length === 1
    ? /^https?:/i.test(only)
      ? redacted(only)
      : only
    : `${files} files`;
}

function noFiles(place: string, skipped: readonly string[]): EmbedmillError {
  const [first] = skipped;
  const others =
    first === undefined
      ? 'it is empty'
      : `it has ${skipped.length} files that are hidden or whose names show no supported format, such as ${JSON.stringify(first)}; set their format`;
  return new EmbedmillError(
    'source_unreadable',
    `there are no files to read at ${JSON.stringify(place)}: ${others}`,
  );
}

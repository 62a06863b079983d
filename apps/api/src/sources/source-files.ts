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

/** Paths, URLs and buckets that the server may read. */
export interface Readable {
  sourceFolder: string | undefined;
  s3Sources: readonly string[];
  s3: Spool['s3'];
}

/** A file as it was found, before its format is determined. */
export interface NamedFile {
  name: string;
  at: ListedFile['at'];
  named: NamedFormat & { gzip?: boolean; encoding?: string };
}

/**
 * The files at the places that the server reads itself: URLs, `s3://bucket/key`, all objects under
 * `s3://bucket/prefix/`, files, and folders with everything below them. Hidden files, and files whose names do not tell
 * their format, are skipped unless they were named individually. Errors: `source_forbidden`, `source_unreadable` (also
 * for a place without files), `source_unavailable`, `payload_too_large`.
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

/** Files with their formats; a file whose options do not fit is listed with the reason. Errors: `invalid_request`. */
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
      // The format of a URL is only known from its response.
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

/** Without a format by name or option, the format is detected from the content when the file is read. */
function encodingOfFile(named: NamedFile['named'], reading: SaidFormat): SourceEncoding | undefined {
  const { columns, encoding } = reading;
  const isTold = [columns, encoding, named.encoding].some((one) => one !== undefined);
  const format = named.format ?? (isTold ? undefined : 'document');
  return encodingOfNamed({ ...named, format }, reading);
}

/** The source of a job for these files, which the spool lists. */
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

/** The source that a job for these places shows. */
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

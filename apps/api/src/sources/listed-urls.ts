import { encodingOfNamed, formatOfMediaType, type JobId, type StoredSource } from '@embedmill/jobs';
import {
  faultOfFile,
  fetchSource,
  readFileList,
  writeFileList,
  type ListedFile,
  type OpenUrl,
  type Spool,
} from '@embedmill/sources';

/**
 * Downloads the URLs of a file list into the job's spool and returns a list of local files, which a thread reads.
 * `remove` deletes the downloads. A URL that cannot be fetched is listed with the reason. Errors: the retryable ones of
 * `fetchSource`.
 */
export async function fetchListed(
  job: JobId,
  list: StoredSource,
  {
    spool,
    ...how
  }: {
    spool: Spool;
    open: OpenUrl;
    maxBytes: number;
    signal: AbortSignal;
  },
): Promise<{ list: StoredSource; remove: () => Promise<void> }> {
  const fetched: StoredSource[] = [];
  const remove = async (): Promise<void> => {
    for (const one of fetched) await spool.removeSource(one);
  };
  try {
    const files: ListedFile[] = [];
    let isHere = true;
    for await (const file of readFileList(spool, list)) {
      if (file.at.kind === 'url') isHere = false;
      files.push(file.at.kind === 'url' ? await fetchedFile(file, file.at.url) : file);
    }
    if (isHere) return { list, remove };
    const here = await writeFileList(spool, job, files);
    fetched.push(here);
    return { list: here, remove };
  } catch (error) {
    await remove();
    throw error;
  }

  async function fetchedFile({ name, encoding }: ListedFile, url: string): Promise<ListedFile> {
    try {
      const { source, mediaType = '' } = await fetchSource(spool, job, url, {
        ...how,
        isDocument: encoding === undefined || encoding.format === 'document',
      });
      fetched.push(source);
      return { name, at: source, encoding: encoding ?? encodingOfNamed(formatOfMediaType(mediaType)) };
    } catch (thrown) {
      how.signal.throwIfAborted();
      return { name, at: { kind: 'none', fault: faultOfFile(thrown) } };
    }
  }
}

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
 * Fetches what a list of files has at URLs into the job's spool, and gives a list of what lies here, which is read in
 * a thread; `remove` removes what was fetched. One that cannot be fetched is listed with its reason. Errors: those of
 * `fetchSource` that may pass.
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

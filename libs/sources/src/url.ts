import { EmbedmillError, type ErrorCode, type JobId } from '@embedmill/jobs';
import type { Received, Spool } from './spool.ts';

/** Begins to fetch a URL with regard to where it may lead; `GuardedFetch.open` is one. */
export type OpenUrl = (
  url: string,
  request: {
    readonly codes: typeof SOURCE_CODES;
    readonly maxBytes: number;
    readonly types: readonly string[];
    readonly signal?: AbortSignal | undefined;
  },
) => Promise<{
  readonly contentType: string | undefined;
  readonly expectedBytes: number | undefined;
  readonly version: string | undefined;
  readonly body: AsyncGenerator<Uint8Array, void>;
}>;

/** What a fetch's failures are called where it was of a source. */
const SOURCE_CODES = {
  forbidden: 'source_forbidden',
  unreadable: 'source_unreadable',
  tooLarge: 'payload_too_large',
  unavailable: 'source_unreadable',
} as const satisfies Record<string, ErrorCode>;

/** What servers call files of documents. A page of HTML, such as one that asks to sign in, is no such file. */
const SOURCE_TYPES = ['application/', 'text/plain', 'text/csv', 'text/json', 'text/tab-separated-values'];
/** And what they call files that are documents by themselves. */
const DOCUMENT_TYPES = ['application/', 'text/', 'message/rfc822'];

/** How a URL is fetched. */
export interface Fetching {
  readonly open: OpenUrl;
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether what is there may be a document by itself, such as a page; not by default. */
  readonly isDocument?: boolean;
}

/**
 * Copies what an http(s) URL serves to the job's spool, so that its byte ranges stay as they are while the
 * job runs. Errors: `source_forbidden` (an address that may not be fetched from), `source_unreadable` (not found, not
 * reachable, no documents, broke off), `payload_too_large`.
 */
export async function fetchSource(
  spool: Spool,
  job: JobId,
  url: string,
  options: Fetching,
): Promise<Received & { mediaType: string | undefined }> {
  const { body, contentType, expectedBytes } = await openSource(url, options);
  const { maxBytes } = options;
  try {
    return { ...(await spool.receive(job, body, { maxBytes, expectedBytes })), mediaType: contentType };
  } catch (error) {
    if (!(error instanceof EmbedmillError) || error.code !== 'upload_incomplete') throw error;
    const message = `cannot read ${redacted(url)}: the transfer ended early`;
    throw new EmbedmillError('source_unreadable', message, { cause: error });
  }
}

/** Begins to fetch a source. Errors: as `fetchSource`. */
export function openSource(
  url: string,
  { open, maxBytes, signal, isDocument = false }: Fetching,
): ReturnType<OpenUrl> {
  const types = isDocument ? DOCUMENT_TYPES : SOURCE_TYPES;
  return open(url, { codes: SOURCE_CODES, maxBytes, types, signal });
}

/** A URL without what may be secret in it. */
export function redacted(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'the URL' : `${parsed.origin}${parsed.pathname}`;
}

import { EmbedmillError, type ErrorCode, type JobId } from '@embedmill/jobs';
import type { Received, Spool } from './spool.ts';

/** Begins to fetch a URL, if its address is allowed; `GuardedFetch.open` is an implementation. */
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

/** The error codes for failures to fetch a source. */
const SOURCE_CODES = {
  forbidden: 'source_forbidden',
  unreadable: 'source_unreadable',
  tooLarge: 'payload_too_large',
  unavailable: 'source_unreadable',
} as const satisfies Record<string, ErrorCode>;

/** Content types of files with documents. An HTML page, such as a sign-in page, is not one. */
const SOURCE_TYPES = ['application/', 'text/plain', 'text/csv', 'text/json', 'text/tab-separated-values'];
/** Content types of files that are documents. */
const DOCUMENT_TYPES = ['application/', 'text/', 'message/rfc822'];

/** Options for fetching a URL. */
export interface Fetching {
  readonly open: OpenUrl;
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether the file may itself be a document, such as a page; false by default. */
  readonly isDocument?: boolean;
}

/**
 * Copies the content of an http(s) URL to the job's spool, so that its byte ranges stay the same while the job runs.
 * Errors: `source_forbidden` (an address that may not be fetched from), `source_unreadable` (not found, unreachable, no
 * documents, or broken off), `payload_too_large`.
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

/** Begins to fetch a source. Errors: those of `fetchSource`. */
export function openSource(
  url: string,
  { open, maxBytes, signal, isDocument = false }: Fetching,
): ReturnType<OpenUrl> {
  const types = isDocument ? DOCUMENT_TYPES : SOURCE_TYPES;
  return open(url, { codes: SOURCE_CODES, maxBytes, types, signal });
}

/** A URL without the parts that may be secret. */
export function redacted(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'the URL' : `${parsed.origin}${parsed.pathname}`;
}

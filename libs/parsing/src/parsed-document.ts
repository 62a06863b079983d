import { EmbedmillError, type DocumentStructure, type ErrorCode } from '@embedmill/jobs';

/** A file's metadata. */
export interface FileMetadata {
  /** The kind of file, such as `pdf`. */
  type: string;
  /** As stated in the file, such as `en` or `de-CH`. */
  language?: string | undefined;
  author?: string | undefined;
  /** Instants in UTC, parsed by dates.ts. */
  created?: string | undefined;
  modified?: string | undefined;
  /** The number of pages. */
  pages?: number | undefined;
  /** For e-mail. */
  from?: string | undefined;
  to?: string[] | undefined;
}

/** A file as a document. */
export interface ParsedDocument {
  title: string | undefined;
  text: string;
  structure: DocumentStructure;
  metadata: FileMetadata;
}

export interface FileToParse {
  bytes: Uint8Array;
  /** A hint, for ambiguous bytes. */
  name: string;
}

/** Why a file cannot be converted to a document. */
export type ParsingFault = Extract<
  ErrorCode,
  | 'document_unreadable'
  | 'document_encrypted'
  | 'document_scanned'
  | 'unsupported_document'
  | 'parsing_limit'
  | 'empty_text'
>;

export function fault(code: ParsingFault, message: string, cause?: unknown): EmbedmillError {
  return new EmbedmillError(code, message, { cause });
}

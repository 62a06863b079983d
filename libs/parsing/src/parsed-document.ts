import { EmbedmillError, type DocumentStructure, type ErrorCode } from '@embedmill/jobs';

/** What a file says of itself. */
export interface FileMetadata {
  /** What kind of file it is, as `pdf`. */
  type: string;
  /** As the file names it, such as `en` or `de-CH`. */
  language?: string | undefined;
  author?: string | undefined;
  /** Instants in UTC, as dates.ts reads what files say. */
  created?: string | undefined;
  modified?: string | undefined;
  /** How many it has. */
  pages?: number | undefined;
  /** Of e-mail. */
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
  /** A hint, where the bytes do not say what they are. */
  name: string;
}

/** Why a file cannot be made a document. */
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

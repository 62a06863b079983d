import type { FileToParse, ParsedDocument, ParsingFault } from './parsed-document.ts';

/** The limits for one file. */
export interface ParsingLimits {
  /** CPU time; on a busy machine, a file may take far longer by the clock. */
  seconds: number;
  /** The memory of the whole process. */
  memoryMB: number;
}

export const USUAL_LIMITS: ParsingLimits = { seconds: 30, memoryMB: 1024 };

/** The message to the process: a file, and its limits. */
export interface ToProcess {
  file: FileToParse;
  limits: ParsingLimits;
}

/**
 * The process's messages about a file: first that it has received it, then the result. After a `last` answer the
 * process must not be used again, because its thread has died or is still busy with that file.
 */
export type FromProcess =
  | { kind: 'began' }
  | { kind: 'parsed'; parsed: ParsedDocument }
  | { kind: 'failed'; code: ParsingFault | 'internal'; message: string; isLast: boolean };

import type { FileToParse, ParsedDocument, ParsingFault } from './parsed-document.ts';

/** What one file may take. */
export interface ParsingLimits {
  /** Of the processor: the process waits for others, so by the clock a file may take far longer on a busy machine. */
  seconds: number;
  /** Of the whole process. */
  memoryMB: number;
}

export const USUAL_LIMITS: ParsingLimits = { seconds: 30, memoryMB: 1024 };

/** What the process is told: its limits, with each file. */
export interface ToProcess {
  file: FileToParse;
  limits: ParsingLimits;
}

/**
 * What it says of a file: first that it has it, then what came of it. After a `last` answer the process is not to be used
 * any more: the thread in it has died, or is busy with that file still.
 */
export type FromProcess =
  | { kind: 'began' }
  | { kind: 'parsed'; parsed: ParsedDocument }
  | { kind: 'failed'; code: ParsingFault | 'internal'; message: string; isLast: boolean };

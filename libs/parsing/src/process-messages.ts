import type { FileToParse, ParsedDocument, ParsingFault } from './parsed-document.ts';

/** What one file may take. */
export interface ParsingLimits {
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

export type FromProcess =
  { ok: true; parsed: ParsedDocument } | { ok: false; code: ParsingFault | 'internal'; message: string };

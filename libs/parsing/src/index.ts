export { kindOf } from './kind.ts';
export type { FileMetadata, FileToParse, ParsedDocument } from './parsed-document.ts';
export { Parser } from './parser.ts';
export { serveParsing } from './parsing-process.ts';
export type { ParsingLimits } from './process-messages.ts';

export { joinParts, writePart } from './output.ts';
export type { Part } from './parquet.ts';
export type { OutputPoint, OutputRow, OutputShape } from './row.ts';

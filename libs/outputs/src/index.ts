export { joinParts, writePart } from './output.ts';
export type { Part } from './parquet.ts';
export { shapeOf, type OutputPoint, type OutputRow, type OutputShape } from './row.ts';

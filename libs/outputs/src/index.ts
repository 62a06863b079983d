export { answeredLine, failedLine, unansweredLine, type EmbeddingsBody } from './batch-line.ts';
export { sizesOfBatchPart, writeBatchPart } from './batch-part.ts';
export { datasetPart, datasetSchema, joinDatasetParts, type DatasetRow, type FieldValue } from './dataset.ts';
export { joinParts, writePart } from './output.ts';
export type { Part } from './parquet.ts';
export { shapeOf, type OutputPoint, type OutputRow, type OutputShape } from './row.ts';

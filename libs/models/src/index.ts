export {
  addModel,
  assertNameIsFree,
  readModelAt,
  resolveFound,
  type FoundModel,
  type ModelPlace,
} from './added-model.ts';
export type {
  HeadEntry,
  ModelEntry,
  ModelEntryInput,
  ModelFacts,
  ModelFile,
  ModelKind,
  ProjectionEntry,
  VisionEntry,
} from './entry.ts';
export { INSTRUCTION_PLACE, modelEntrySchema } from './entry.ts';
export { REGISTRY } from './registry.ts';
export { findModel, listModels, visionOf, type ModelFolders, type ModelSummary } from './models.ts';
export {
  resolveModel,
  resolveTokenizer,
  type ResolvedModel,
  type ResolvedTokenizer,
  type ResolveOptions,
} from './resolve.ts';
export type { DownloadProgress } from './download.ts';
export { dimsOf } from './vector-size.ts';
export { offeredFiles, type OfferedFile } from './offers.ts';

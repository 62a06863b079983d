export { EmbedmillEmbeddings, type EmbedmillEmbeddingsParams } from './embeddings.ts';
export type { VectorStoreFilter } from './filter.ts';
export {
  EmbedmillVectorStore,
  type AddOptions,
  type DeleteParams,
  type EmbedmillVectorStoreParams,
} from './vector-store.ts';

export {
  createEmbedder,
  embed,
  embedOne,
  type Embedder,
  type EmbedderOptions,
  type RunBatch,
  type StreamOptions,
  type TextOptions,
  type TextRole,
  type Texts,
  type TruncatedText,
} from './dist/index.js';

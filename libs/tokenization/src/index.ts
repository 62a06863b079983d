export { Tokenizer, type EncodedText, type Prefix, type TokenizerOptions } from './tokenizer.ts';
export type { EncodedPair } from './pairs.ts';
export type { PlainEncoding } from './encoding.ts';
export { chunkDocuments, type Chunk, type ChunkableDocument, type ChunkedDocument } from './chunker.ts';
export { chunkStructured, type StructuredDocument } from './structured-chunker.ts';
export { cutChunks, type Cut } from './cut.ts';
export type { CutLimits } from './cutting.ts';

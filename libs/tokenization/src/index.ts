export { Tokenizer, type EncodedText, type PlainEncoding, type TokenizerOptions } from './tokenizer.ts';
export { chunkDocuments, type Chunk, type ChunkableDocument, type ChunkedDocument } from './chunker.ts';
export { cutChunks, type Cut, type CutLimits } from './cut.ts';

import type { SparseScheme, SparseVector, TokenVectors } from '@embedmill/jobs';
import type { VectorHashes } from '@embedmill/vector-store';

/** The content of one point: a range of a document's text, or one of its pictures, with all vectors. */
export interface EmbeddedChunk {
  /** Characters of the document's text (UTF-16 units). */
  start: number;
  end: number;
  /** The headings above it, if the document's structure is known. */
  headings?: readonly string[] | undefined;
  /** For a video frame: seconds from the start of the video. */
  timestamp: number | null;
  /** Tokens run through the dense model; 0 if the vector was reused. */
  tokens: number;
  /** The hashes of what its vectors were computed from, if known. */
  hashes: VectorHashes | undefined;
  /** Whether its dense vector was reused from the store. */
  reused: boolean;
  dense: Float32Array;
  /** The vector of the collection's other dense model, while it migrates. */
  other: Float32Array | undefined;
  /** Set if the profile requires them and the chunk is text. */
  tokenVectors: TokenVectors | undefined;
  sparse: { [Scheme in SparseScheme]?: SparseVector };
}

import type { SparseScheme, SparseVector, TokenVectors } from '@embedmill/jobs';
import type { VectorHashes } from '@embedmill/vector-store';

/** What becomes one point: a stretch of a document's text, or one of its pictures, with all its vectors. */
export interface EmbeddedChunk {
  /** Characters of the document's text (UTF-16 units). */
  start: number;
  end: number;
  /** Those that it stands under, where the document's structure is known. */
  headings?: readonly string[] | undefined;
  /** Of a video's frame: seconds from its start. */
  timestamp: number | null;
  /** Tokens run through the dense model; none where the vector was stored. */
  tokens: number;
  /** What its vectors were computed from, where that is known. */
  hashes: VectorHashes | undefined;
  /** Whether its dense vector was taken from the store. */
  reused: boolean;
  dense: Float32Array;
  /** Of the collection's other dense model, while it migrates. */
  other: Float32Array | undefined;
  /** Where the profile wants them, and it is of a text. */
  tokenVectors: TokenVectors | undefined;
  sparse: { [Scheme in SparseScheme]?: SparseVector };
}

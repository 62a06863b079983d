import {
  SPARSE_SCHEMES,
  type Collection,
  type DocumentStructure,
  type DenseName,
  type Json,
  type Sink,
  type SparseScheme,
  type SparseVector,
} from '@embedmill/jobs';

/** The content of an output: one row per document, or one per point with its vectors. */
export type OutputShape =
  | { rows: 'documents' }
  | {
      rows: 'points';
      /** The dense vectors that a row may have, with their sizes; the first is the one that searches use. */
      dense: readonly { name: DenseName; dims: number }[];
      sparse: readonly SparseScheme[];
      /** Whether rows include the structure of their texts. */
      structure: boolean;
    };

/** The content of an export of the collection. */
export function shapeOf(
  { vector, dims, other, profile }: Collection,
  { vectors, structure = false }: Pick<Sink, 'vectors' | 'structure'>,
): OutputShape {
  if (!vectors) return { rows: 'documents' };
  return {
    rows: 'points',
    dense: [{ name: vector, dims }, ...(other === undefined ? [] : [other])],
    sparse: SPARSE_SCHEMES.filter((scheme) => profile.sparse[scheme] !== undefined),
    structure,
  };
}

/** One document, or one of its points. */
export interface OutputRow {
  id: string;
  tenant: string;
  /** The whole text of a document, or the text of a point. */
  text: string;
  title: string | null;
  /** The URL or path of its picture. */
  image: string | null;
  /** The name of the document's source. */
  source: string | null;
  metadata: { [key: string]: Json };
  /** The structure of the text. */
  structure?: DocumentStructure | undefined;
  /** For rows that are points. */
  point?: OutputPoint;
}

export interface OutputPoint {
  /** The chunk's index in the document, from 0. */
  chunk: number;
  /** The document's number of chunks. */
  chunks: number;
  /** Its range in the document's text (UTF-16 units). */
  start: number;
  end: number;
  /** For a frame of a video: seconds from the video's start. */
  timestamp: number | null;
  dense: { readonly [Name in DenseName]?: Float32Array | undefined };
  sparse: { readonly [Scheme in SparseScheme]?: SparseVector | undefined };
}

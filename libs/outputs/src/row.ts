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

/** What an output holds: a row for each document, or one for each of its points with their vectors. */
export type OutputShape =
  | { rows: 'documents' }
  | {
      rows: 'points';
      /** The dense vectors that a row may have, with their sizes; the first is the one that searches use. */
      dense: readonly { name: DenseName; dims: number }[];
      sparse: readonly SparseScheme[];
      /** Whether rows say how their texts are built. */
      structure: boolean;
    };

/** What an export of the collection holds. */
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
  /** The whole text of a document; a point's own. */
  text: string;
  title: string | null;
  /** The URL or path of its picture. */
  image: string | null;
  /** What the origin of the document is called. */
  source: string | null;
  metadata: { [key: string]: Json };
  /** How the text is built. */
  structure?: DocumentStructure | undefined;
  /** Of rows that are points. */
  point?: OutputPoint;
}

export interface OutputPoint {
  /** Its number in the document, from 0. */
  chunk: number;
  /** How many the document has. */
  chunks: number;
  /** Characters of the document's text (UTF-16 units). */
  start: number;
  end: number;
  /** Of a video's frame: seconds from its start. */
  timestamp: number | null;
  dense: { readonly [Name in DenseName]?: Float32Array | undefined };
  sparse: { readonly [Scheme in SparseScheme]?: SparseVector | undefined };
}

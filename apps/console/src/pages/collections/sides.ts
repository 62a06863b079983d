import type { Hit } from '../../server/shapes.ts';

/** One side of a migration: the parameters of a search on it. */
export interface Side {
  readonly title: string;
  readonly collection: string;
  /** Set for a migration within one collection. */
  readonly vector?: string | undefined;
}

/** A hit of one side. */
export interface ComparedHit {
  readonly hit: Hit;
  /** Its rank on the other side, from 1; undefined if that side did not find it. */
  readonly there: number | undefined;
}

export interface Comparison {
  readonly sides: readonly [readonly ComparedHit[], readonly ComparedHit[]];
  /** The number of documents that both sides found. */
  readonly shared: number;
  /** The length of the longer list. */
  readonly most: number;
}

/** Compares the hits of two sides: each gets its rank on the other side. */
export function compared(first: readonly Hit[], second: readonly Hit[]): Comparison {
  const sides = [placed(first, second), placed(second, first)] as const;
  return {
    sides,
    shared: sides[0].filter(({ there }) => there !== undefined).length,
    most: Math.max(first.length, second.length),
  };
}

function placed(own: readonly Hit[], other: readonly Hit[]): ComparedHit[] {
  const places = new Map(other.map((hit, n) => [documentOf(hit), n + 1]));
  return own.map((hit) => ({ hit, there: places.get(documentOf(hit)) }));
}

const documentOf = ({ tenant = '', id }: Hit): string => JSON.stringify([tenant, id]);

import type { DocumentPoints } from '../store.ts';
import * as column from './columns.ts';

/** All rows of these documents, as a filter. */
export function inDocuments(digests: readonly string[]): string {
  return `${column.DOCUMENT} in (${digests.map((key) => `'${key}'`).join(',')})`;
}

/** Filters for the rows to delete before these documents are written (see DocumentWrites). */
export function staleChunks(documents: readonly DocumentPoints[]): string[] {
  const several = documents.filter((document) => document.points.length > 1);
  const byCount = Map.groupBy(documents, (document) => document.points.length);
  const of = (some: readonly DocumentPoints[]) => inDocuments(some.map(column.documentDigest));
  const index = column.CHUNK_INDEX;
  return [
    `${of(documents)} and ${index} = 0 and ${column.CHUNK_COUNT} > 1`,
    ...(several.length === 0 ? [] : [`${of(several)} and ${index} = 0`]),
    ...[...byCount].map(([count, group]) => `${of(group)} and ${index} >= ${count}`),
  ];
}

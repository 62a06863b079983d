import type { DocumentKey, PointPayload } from '@embedmill/vector-store';

/** The documents of some points, each once. */
export function documentsOf(payloads: readonly PointPayload[]): DocumentKey[] {
  const keys = new Map(
    payloads.map(({ tenant, document_id: id }) => [JSON.stringify([tenant, id]), { tenant, id }]),
  );
  return [...keys.values()];
}

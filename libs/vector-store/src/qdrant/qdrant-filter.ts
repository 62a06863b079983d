import { instantText, type Scalar, type TenantId } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import type { Condition, Range, Target } from '../condition.ts';
import type { DocumentPoints } from '../store.ts';

export type QdrantFilter = Schemas['Filter'];
export type QdrantCondition = Schemas['Condition'];

/** A condition in Qdrant's words. */
export function qdrantCondition(condition: Condition): QdrantCondition {
  switch (condition.op) {
    case 'and':
      return { must: condition.of.map(qdrantCondition) };
    case 'or':
      return { should: condition.of.map(qdrantCondition) };
    case 'not':
      return { must_not: [qdrantCondition(condition.of)] };
    case 'any':
      return anyOf(condition.target, condition.values);
    case 'range':
      return { key: keyOf(condition.target), range: rangeOf(condition.target, condition.range) };
  }
}

export function searchFilter(
  tenant: TenantId | undefined,
  condition: Condition | undefined,
): QdrantFilter | undefined {
  const must: QdrantCondition[] = [];
  if (tenant !== undefined) must.push(matches('tenant', tenant));
  if (condition !== undefined) must.push(qdrantCondition(condition));
  return must.length === 0 ? undefined : { must };
}

/** All points of some documents of one tenant. */
export function ofDocuments(tenant: TenantId, documents: string[]): { must: QdrantCondition[] } {
  const any = [...new Set(documents)];
  return { must: [matches('tenant', tenant), { key: 'document_id', match: { any } }] };
}

/** The points of one tenant's documents that have to go before the documents can be replaced; see Replacement. */
export function staleChunks(tenant: TenantId, documents: DocumentPoints[]): QdrantFilter {
  const kept = documents.flatMap(({ points }) =>
    points.filter((point) => points.length === 1 || point.payload.chunk_index > 0).map((point) => point.id),
  );
  return {
    ...ofDocuments(
      tenant,
      documents.map((document) => document.id),
    ),
    should: [
      { must_not: [{ has_id: kept }] },
      { must: [matches('chunk_index', 0), { key: 'chunk_count', range: { gt: 1 } }] },
    ],
  };
}

/** Points that have no vector of this name. */
export function withoutVector(name: string): QdrantFilter {
  return { must_not: [{ has_vector: name }] };
}

function matches(key: string, value: string | number | boolean): QdrantCondition {
  return { key, match: { value } };
}

/** `match` compares texts, integers and booleans, and lists only the former two; the rest are ranges of one value. */
function anyOf(target: Target, values: Scalar[]): QdrantCondition {
  const key = keyOf(target);
  switch (target.type) {
    case 'keyword':
    case 'integer': {
      const [first] = values;
      if (values.length === 1 && first !== undefined) return matches(key, first);
      return { key, match: { any: values as string[] | number[] } };
    }
    case 'boolean':
      return { should: values.map((value) => matches(key, value)) };
    case 'float':
    case 'datetime':
      return {
        should: values.map((value) => ({
          key,
          range: rangeOf(target, { gte: value as number, lte: value as number }),
        })),
      };
  }
}

function rangeOf(target: Target, range: Range): Schemas['RangeInterface'] {
  if (target.type !== 'datetime') return range;
  return Object.fromEntries(Object.entries(range).map(([bound, instant]) => [bound, instantText(instant)]));
}

function keyOf(target: Target): string {
  return target.kind === 'document_id' ? 'document_id' : `metadata.${target.field}`;
}

/** Documents by their tenants: a filter on documents is of one tenant. */
export function byTenant<T extends { tenant: TenantId }>(documents: T[]): Map<TenantId, T[]> {
  return Map.groupBy(documents, (document) => document.tenant);
}

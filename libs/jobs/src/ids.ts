import { hash } from 'node:crypto';
import { z } from 'zod';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type CollectionName = Branded<'CollectionName'>;
export type DocumentId = Branded<'DocumentId'>;
export type TenantId = Branded<'TenantId'>;
export type JobId = Branded<'JobId'>;
export type PointId = Branded<'PointId'>;

/** A tenant's name. */
export const tenantSchema = z
  .string()
  .min(1)
  .max(128)
  .refine((name) => name.isWellFormed() && !name.includes('\0'), 'has a lone surrogate or a NUL')
  .transform((name) => name as TenantId);

/** The tenant of documents that name none. */
export const DEFAULT_TENANT = 'default' as TenantId;

/** embedmill's namespace for version 5 UUIDs; changing it would orphan every stored point. */
const NAMESPACE = Buffer.from('6f1f8f0e5d2b5c8e9a4d3b7c1e2f4a60', 'hex');

/** A version 5 (SHA-1, name-based) UUID of `name` in `namespace` (RFC 9562, section 5.5). */
export function uuidV5(name: string, namespace: Buffer = NAMESPACE): string {
  const hex = hash('sha1', Buffer.concat([namespace, Buffer.from(name)]), 'hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * The id of the point that holds one chunk of one document. The same four parts always give the same id,
 * so that writing a chunk twice replaces it.
 */
export function pointId(
  tenant: TenantId,
  collection: CollectionName,
  document: DocumentId,
  chunkIndex: number,
): PointId {
  return uuidV5(JSON.stringify([tenant, collection, document, chunkIndex])) as PointId;
}

import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { tenantSchema } from './ids.ts';
import { collectionNameSchema } from './profile.ts';

/** What a key may do: submit documents, search, or everything including the management of collections. */
export const SCOPES = ['submit', 'search', 'admin'] as const;
export const scopeSchema = z.enum(SCOPES);
export type Scope = z.infer<typeof scopeSchema>;

const KEY = /^em_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

const wanted = z.strictObject({
  name: z.string().min(1).max(128),
  scopes: z.array(scopeSchema).min(1),
  tenant: tenantSchema.optional(),
  collections: z.array(collectionNameSchema).min(1).optional(),
  requestsPerSecond: z.int().min(1).max(1_000_000).optional(),
  concurrency: z.int().min(1).max(1_000_000).optional(),
  expires: z.iso.datetime({ offset: true }).optional(),
});

const hasNoAdminTenant = ({ scopes, tenant }: z.infer<typeof wanted>): boolean =>
  tenant === undefined || !scopes.includes('admin');
const ADMIN_TENANT =
  'an admin key cannot have a tenant, because collections belong to all tenants; use "submit" and "search" instead';

/** The properties of a new key. */
export const wantedKeySchema = wanted.refine(hasNoAdminTenant, ADMIN_TENANT);
export type WantedKey = z.infer<typeof wantedKeySchema>;

/** A key as it is stored: with its hash, and nothing from which the key could be derived. */
export const apiKeyEntrySchema = wanted
  .extend({
    id: z.string().regex(/^[0-9a-f]{12}$/, 'must be the 12 characters after em_'),
    hash: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hexadecimal digits'),
  })
  .refine(hasNoAdminTenant, ADMIN_TENANT);
export type ApiKeyEntry = z.infer<typeof apiKeyEntrySchema>;

/** The keys file: a list in which names and ids are unique. */
export const apiKeysSchema = z.array(apiKeyEntrySchema).superRefine((keys, context) => {
  for (const field of ['name', 'id'] as const) {
    const seen = new Set<string>();
    for (const [index, { [field]: value }] of keys.entries()) {
      if (seen.has(value)) {
        const message = `another key already has the ${field} ${JSON.stringify(value)}`;
        context.addIssue({ code: 'custom', path: [index, field], message });
      }
      seen.add(value);
    }
  }
});

/** A new key, to be shown once, with its id and the hash to store. */
export function newApiKey(): { key: string; id: string; hash: string } {
  const id = randomBytes(6).toString('hex');
  const key = `em_${id}_${randomBytes(32).toString('base64url')}`;
  return { key, id, hash: apiKeyHash(key) };
}

/** The id in a key; undefined if the text is not a well-formed key. */
export function apiKeyId(key: string): string | undefined {
  return KEY.exec(key)?.[1];
}

/**
 * The stored hash of a key. One round of SHA-256 is enough here, unlike for a password: a key has 256 random bits, so it
 * cannot be guessed, however fast the hash is.
 */
export function apiKeyHash(key: string): string {
  return `sha256:${hash('sha256', key, 'hex')}`;
}

/** Whether the key has that hash; takes constant time. */
export function isApiKey(key: string, kept: string): boolean {
  const given = Buffer.from(apiKeyHash(key));
  const wanted = Buffer.from(kept);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

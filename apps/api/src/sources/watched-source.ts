import { hash } from 'node:crypto';
import { z } from 'zod';
import {
  EmbedmillError,
  sourceRunSchema,
  tenantSchema,
  watchedSourceSchema,
  type Scope,
  type TenantId,
  type WatchedSourceView,
} from '@embedmill/jobs';
import { currentPrincipal, type Principal } from '../access/principal.ts';
import { latestTime, nextTime } from './schedule.ts';

/** The identity with which a source is read: that of whoever added it. */
const ownerSchema = z.strictObject({
  name: z.string(),
  /** Whether it was a key of the keys file, which may have been removed since; tokens and anonymous access cannot be looked up. */
  isKey: z.boolean(),
  collections: z.array(z.string()).optional(),
});

/** A watched source as stored in the spool; only requests write it. */
export const keptSourceSchema = z.strictObject({
  name: z.string(),
  /** The name as given; an alias is resolved at each check. */
  collection: z.string(),
  tenant: tenantSchema.optional(),
  owner: ownerSchema,
  /** Epoch milliseconds from which the schedule counts. */
  createdAt: z.number(),
  /** When an immediate check was last requested. */
  askedAt: z.number().optional(),
  source: watchedSourceSchema,
});
export type KeptSource = z.infer<typeof keptSourceSchema>;

/** The outcomes of its checks; only the holder of the lease writes it. */
export const keptRunsSchema = z.strictObject({
  /** The last scheduled time that was checked. */
  time: z.number(),
  /** Newest first. */
  runs: z.array(sourceRunSchema),
  /** The last job and its files. */
  submitted: z.strictObject({ job: z.string(), fingerprint: z.string() }).optional(),
});
export type KeptRuns = z.infer<typeof keptRunsSchema>;

/** The version of each file of the last job, by name. */
export const keptMarksSchema = z.record(z.string(), z.string());

export function sourceKey(collection: string, name: string, tenant: TenantId | undefined): string {
  return hash('sha256', JSON.stringify([collection, name, tenant ?? null])).slice(0, 32);
}

/** The time for which a source is now due; undefined if it has been checked for it. */
export function dueTime(
  { source, createdAt, askedAt = 0 }: KeptSource,
  runs: KeptRuns | undefined,
  now: number,
): number | undefined {
  const time = Math.max(latestTime(source.schedule, createdAt, now) ?? 0, askedAt);
  return time > (runs?.time ?? 0) ? time : undefined;
}

export function viewOf(kept: KeptSource, runs: KeptRuns | undefined, now = Date.now()): WatchedSourceView {
  const { source, name, collection, tenant, owner, createdAt } = kept;
  const next = dueTime(kept, runs, now) ?? nextTime(source.schedule, createdAt, now);
  return {
    ...source,
    name,
    collection,
    tenant: tenant ?? null,
    addedBy: owner.name,
    createdAt: new Date(createdAt).toISOString(),
    nextAt: next === undefined ? null : new Date(next).toISOString(),
    runs: runs?.runs ?? [],
  };
}

/** The keys that the keys file has now, by name; empty without such a file. */
export type KeysByName = ((name: string) => Principal | undefined) | undefined;

export function ownerOf({ name, collections }: Principal, keys: KeysByName): KeptSource['owner'] {
  return {
    name,
    isKey: keys?.(name) !== undefined,
    collections: collections && [...collections],
  };
}

/** The identity that reads and submits a source. Errors: `unauthenticated` if its key was removed, `forbidden` if it lost the permission. */
export function principalOf({ owner, tenant, name }: KeptSource, keys: KeysByName): Principal {
  const then: Principal = {
    name: owner.name,
    scopes: new Set<Scope>(['submit']),
    tenant,
    collections: owner.collections && new Set(owner.collections),
    requestsPerSecond: undefined,
    concurrency: undefined,
  };
  if (!owner.isKey || keys === undefined) return then;
  const now = keys(owner.name);
  const again = `add the source ${name} again with another key`;
  if (now === undefined)
    throw new EmbedmillError('unauthenticated', `the key ${owner.name} was removed or has expired; ${again}`);
  const mayStill = now.scopes.has('submit') || now.scopes.has('admin');
  if (!mayStill || (now.tenant !== undefined && now.tenant !== tenant))
    throw new EmbedmillError('forbidden', `the key ${owner.name} may no longer submit this; ${again}`);
  return { ...now, tenant };
}

/** The tenant whose source a request addresses; a caller bound to a tenant has access to its own only. Errors: `forbidden`. */
export function tenantAsked(asked: TenantId | undefined): TenantId | undefined {
  const { tenant, name } = currentPrincipal();
  if (tenant === undefined || asked === undefined || asked === tenant) return tenant ?? asked;
  const message = `${name} is bound to the tenant ${JSON.stringify(tenant)}, but the request names ${JSON.stringify(asked)}; leave the tenant out`;
  throw new EmbedmillError('forbidden', message);
}

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

/** As whom a source is read: whoever added it. */
const ownerSchema = z.strictObject({
  name: z.string(),
  /** Whether it was a key of the keys file, which may have gone since; tokens and everyone cannot be looked up. */
  isKey: z.boolean(),
  collections: z.array(z.string()).optional(),
});

/** A watched source as the spool keeps it; only requests write it. */
export const keptSourceSchema = z.strictObject({
  name: z.string(),
  /** As it was named: an alias is followed. */
  collection: z.string(),
  tenant: tenantSchema.optional(),
  owner: ownerSchema,
  /** Epoch milliseconds; from then on it is due. */
  createdAt: z.number(),
  /** When somebody asked for a look at once. */
  askedAt: z.number().optional(),
  source: watchedSourceSchema,
});
export type KeptSource = z.infer<typeof keptSourceSchema>;

/** What came of its looks; only whoever has its turn writes it. */
export const keptRunsSchema = z.strictObject({
  /** The time of the schedule that was looked for last. */
  time: z.number(),
  /** The newest first. */
  runs: z.array(sourceRunSchema),
  /** The last job, and what its files were. */
  submitted: z.strictObject({ job: z.string(), fingerprint: z.string() }).optional(),
});
export type KeptRuns = z.infer<typeof keptRunsSchema>;

/** Each file's version, by its name, of the last job. */
export const keptMarksSchema = z.record(z.string(), z.string());

export function sourceKey(collection: string, name: string, tenant: TenantId | undefined): string {
  return hash('sha256', JSON.stringify([collection, name, tenant ?? null])).slice(0, 32);
}

/** The time that a source is to be looked at for, by now; undefined where it has been. */
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

/** Keys by their names, as the keys file has them now; none where there is no such file. */
export type KeysByName = ((name: string) => Principal | undefined) | undefined;

export function ownerOf({ name, collections }: Principal, keys: KeysByName): KeptSource['owner'] {
  return {
    name,
    isKey: keys?.(name) !== undefined,
    collections: collections && [...collections],
  };
}

/** Who reads and submits a source. Errors: `unauthenticated` where its key has gone, `forbidden` where it may not any more. */
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

/** Whose source a request is about; whoever is bound to a tenant has its own only. Errors: `forbidden`. */
export function tenantAsked(asked: TenantId | undefined): TenantId | undefined {
  const { tenant, name } = currentPrincipal();
  if (tenant === undefined || asked === undefined || asked === tenant) return tenant ?? asked;
  const message = `${name} is bound to the tenant ${JSON.stringify(tenant)}, but the request names ${JSON.stringify(asked)}; leave the tenant out`;
  throw new EmbedmillError('forbidden', message);
}

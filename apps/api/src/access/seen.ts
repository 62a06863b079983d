import { EmbedmillError, NO_COLLECTION, type CollectionName } from '@embedmill/jobs';
import type { UsageEntry } from '@embedmill/queue';
import { currentPrincipal, type Principal } from './principal.ts';

/** Usage of requests without a collection is visible only to its own key, if the key is restricted to some collections. */
export function seesUsage(principal: Principal, { key, tenant, collection }: UsageEntry): boolean {
  if (collection !== '') return seesJob(principal, collection, tenant === '' ? undefined : tenant);
  if (principal.collections !== undefined && key !== principal.name) return false;
  return principal.tenant === undefined || principal.tenant === tenant;
}

/** Jobs without a tenant may have documents of any tenant: only principals that can access all tenants see them. */
export function seesJob(principal: Principal, collection: string, tenant: string | undefined): boolean {
  if (principal.collections?.has(collection) === false) return false;
  return principal.tenant === undefined || principal.tenant === tenant;
}

export function seesCollection(name: string): boolean {
  return currentPrincipal().collections?.has(name) !== false;
}

export function seen(name: CollectionName): CollectionName {
  if (seesCollection(name)) return name;
  throw new EmbedmillError('collection_not_found', `there is no collection ${JSON.stringify(name)}`);
}

/** The sinks of a job: only principals without a restriction to some collections may request a file. */
export function seenTarget(name: CollectionName | typeof NO_COLLECTION): void {
  const { collections, name: who } = currentPrincipal();
  if (name !== NO_COLLECTION) seen(name);
  else if (collections !== undefined) {
    const message = `${who} is restricted to the collections ${[...collections].join(', ')}; embedding to files needs a key without this restriction`;
    throw new EmbedmillError('forbidden', message);
  }
}

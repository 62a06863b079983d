import { EmbedmillError, NO_COLLECTION, type CollectionName } from '@embedmill/jobs';
import type { UsageEntry } from '@embedmill/queue';
import { currentPrincipal, type Principal } from './principal.ts';

/** Usage of requests that name no collection is seen by its own key alone, where keys see some collections only. */
export function seesUsage(principal: Principal, { key, tenant, collection }: UsageEntry): boolean {
  if (collection !== '') return seesJob(principal, collection, tenant === '' ? undefined : tenant);
  if (principal.collections !== undefined && key !== principal.name) return false;
  return principal.tenant === undefined || principal.tenant === tenant;
}

/** Jobs of no tenant may have documents of any: only those see them who see all. */
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

/** What a job's documents may go to: a file may be asked for by who is not kept to some collections. */
export function seenTarget(name: CollectionName | typeof NO_COLLECTION): void {
  const { collections, name: who } = currentPrincipal();
  if (name !== NO_COLLECTION) seen(name);
  else if (collections !== undefined) {
    const message = `${who} is restricted to the collections ${[...collections].join(', ')}; embedding to files needs a key without this restriction`;
    throw new EmbedmillError('forbidden', message);
  }
}

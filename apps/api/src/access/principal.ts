import { AsyncLocalStorage } from 'node:async_hooks';
import { DEFAULT_TENANT, EmbedmillError, type Scope, type TenantId } from '@embedmill/jobs';

/** Who asks: a key, the subject of a token, or everyone where no keys are set. */
export interface Principal {
  /** What the audit log calls it; never a secret. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The only tenant that it sees; undefined: all. */
  readonly tenant: TenantId | undefined;
  /** The only collections that it sees; undefined: all. */
  readonly collections: ReadonlySet<string> | undefined;
  /** Requests a second, in each API process; undefined: no limit of its own. */
  readonly requestsPerSecond: number | undefined;
  /** Requests at the same time, in each API process. */
  readonly concurrency: number | undefined;
}

/** Whoever asks, where no keys are set. */
export const EVERYONE: Principal = {
  name: 'everyone',
  scopes: new Set<Scope>(['admin']),
  tenant: undefined,
  collections: undefined,
  requestsPerSecond: undefined,
  concurrency: undefined,
};

/**
 * What a route needs: nothing (`open`), nothing unless metrics have a key of their own (`metrics`), any key (`any`), or
 * a scope. Routes name it in their `config`; one that does not needs `admin`.
 */
export type Access = 'open' | 'metrics' | 'any' | Scope;

/** Whether the scopes allow what a route needs. `admin` allows all. */
export function allows({ scopes }: Principal, needed: Access): boolean {
  switch (needed) {
    case 'open':
    case 'any':
      return true;
    case 'metrics':
      return scopes.has('admin');
    case 'submit':
    case 'search':
    case 'admin':
      return scopes.has(needed) || scopes.has('admin');
  }
}

const asking = new AsyncLocalStorage<{ principal: Principal; collection: string | undefined }>();

/** Runs a request’s work, and all that follows from it, as its principal’s. `collection` is the one that its path names. */
export function runAs<T>(principal: Principal, work: () => T, collection?: string): T {
  return asking.run({ principal, collection }, work);
}

/** The collection that the present request is for; undefined where it names none. */
export function currentCollection(): string | undefined {
  return asking.getStore()?.collection;
}

/** What takes turns with others' work: the name of whose request this is; the same where nobody is known. */
export function currentShare(): string {
  return asking.getStore()?.principal.name ?? '';
}

/** Whose request this is. Where nobody is known, nothing is given out: the error is `internal`. */
export function currentPrincipal(): Principal {
  const { principal } = asking.getStore() ?? {};
  if (principal === undefined) throw new EmbedmillError('internal', 'the request has no principal');
  return principal;
}

/** Refuses what needs one more scope than the route's own. Errors: `forbidden`. */
export function requireScope(scope: Scope, why: string): void {
  const principal = currentPrincipal();
  if (allows(principal, scope)) return;
  throw new EmbedmillError('forbidden', `${principal.name} lacks the scope "${scope}", which ${why} needs`);
}

/** Whose something is, for those who see several tenants'; a key that is bound to one knows it. */
export function namedTenant(tenant: TenantId): { tenant?: TenantId } {
  return currentPrincipal().tenant === undefined ? { tenant } : {};
}

/** The tenant that is asked of the store. A request that names none asks for its own; `default` is what none is called. */
export function ownTenant(asked: TenantId | undefined): TenantId | undefined {
  const { tenant, name } = currentPrincipal();
  if (tenant === undefined || asked === tenant) return asked;
  if (asked === undefined || asked === DEFAULT_TENANT) return tenant;
  const message = `${name} is bound to the tenant ${JSON.stringify(tenant)}, but the request names ${JSON.stringify(asked)}; leave the tenant out`;
  throw new EmbedmillError('forbidden', message);
}

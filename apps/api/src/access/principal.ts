import { AsyncLocalStorage } from 'node:async_hooks';
import { DEFAULT_TENANT, EmbedmillError, type Scope, type TenantId } from '@embedmill/jobs';

/** The caller of a request: a key, the subject of a token, or everyone if no keys are set. */
export interface Principal {
  /** Its name in the audit log; never a secret. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The only tenant that it can access; undefined: all. */
  readonly tenant: TenantId | undefined;
  /** The only collections that it can access; undefined: all. */
  readonly collections: ReadonlySet<string> | undefined;
  /** Requests per second in each API process; undefined: no own limit. */
  readonly requestsPerSecond: number | undefined;
  /** Concurrent requests in each API process. */
  readonly concurrency: number | undefined;
}

/** Any caller, if no keys are set. */
export const EVERYONE: Principal = {
  name: 'everyone',
  scopes: new Set<Scope>(['admin']),
  tenant: undefined,
  collections: undefined,
  requestsPerSecond: undefined,
  concurrency: undefined,
};

/**
 * What a route requires: nothing (`open`), nothing unless metrics have their own key (`metrics`), any key (`any`), or a
 * scope. Routes set it in their `config`; the default is `admin`.
 */
export type Access = 'open' | 'metrics' | 'any' | Scope;

/** Whether the scopes meet a route's requirement. `admin` allows everything. */
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

/** Runs a request’s work, and everything that follows from it, as its principal. `collection` is the one in its path. */
export function runAs<T>(principal: Principal, work: () => T, collection?: string): T {
  return asking.run({ principal, collection }, work);
}

/** The collection of the current request; undefined if it names none. */
export function currentCollection(): string | undefined {
  return asking.getStore()?.collection;
}

/** The key for taking turns with others' work: the principal's name; the same one if there is no principal. */
export function currentShare(): string {
  return asking.getStore()?.principal.name ?? '';
}

/** The principal of the current request. If there is none, nothing is revealed: the error is `internal`. */
export function currentPrincipal(): Principal {
  const { principal } = asking.getStore() ?? {};
  if (principal === undefined) throw new EmbedmillError('internal', 'the request has no principal');
  return principal;
}

/** Refuses work that needs a scope in addition to the route's. Errors: `forbidden`. */
export function requireScope(scope: Scope, why: string): void {
  const principal = currentPrincipal();
  if (allows(principal, scope)) return;
  throw new EmbedmillError('forbidden', `${principal.name} lacks the scope "${scope}", which ${why} needs`);
}

/** The owning tenant, shown to principals that can access several; others know it. */
export function namedTenant(tenant: TenantId): { tenant?: TenantId } {
  return currentPrincipal().tenant === undefined ? { tenant } : {};
}

/** The tenant for the store. A request that names none means its own; `default` is the name of no tenant. */
export function ownTenant(asked: TenantId | undefined): TenantId | undefined {
  const { tenant, name } = currentPrincipal();
  if (tenant === undefined || asked === tenant) return asked;
  if (asked === undefined || asked === DEFAULT_TENANT) return tenant;
  const message = `${name} is bound to the tenant ${JSON.stringify(tenant)}, but the request names ${JSON.stringify(asked)}; leave the tenant out`;
  throw new EmbedmillError('forbidden', message);
}

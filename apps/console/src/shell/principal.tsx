import { createContext, type ComponentChildren } from 'preact';
import { useContext } from 'preact/hooks';
import type { Page } from '../route.ts';
import type { Principal } from '../server/shapes.ts';

const PrincipalContext = createContext<Principal | undefined>(undefined);

export function PrincipalProvider({
  principal,
  children,
}: {
  principal: Principal;
  children: ComponentChildren;
}) {
  return <PrincipalContext.Provider value={principal}>{children}</PrincipalContext.Provider>;
}

/** The authenticated principal. */
export function usePrincipal(): Principal {
  const principal = useContext(PrincipalContext);
  if (principal === undefined) throw new Error('usePrincipal needs a PrincipalProvider');
  return principal;
}

type Scope = Principal['scopes'][number];

export function may({ scopes }: Pick<Principal, 'scopes'>, scope: Scope): boolean {
  return scopes.includes(scope) || scopes.includes('admin');
}

/** The scope that a page requires; it is hidden from principals without it. */
const NEEDS: Readonly<Record<Page, Scope | undefined>> = {
  overview: undefined,
  jobs: 'submit',
  submit: 'submit',
  collections: undefined,
  search: 'search',
  map: 'search',
  models: undefined,
  usage: undefined,
  keys: 'admin',
};

/** The pages that a principal may use, in order. */
export function pagesFor(principal: Pick<Principal, 'scopes'>, pages: readonly Page[]): Page[] {
  return pages.filter((page) => {
    const needed = NEEDS[page];
    return needed === undefined || may(principal, needed);
  });
}

import { useEffect, useState } from 'preact/hooks';
import { hrefOf, routeOf, type Page, type Route } from '../route.ts';

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const follow = () => setRoute(routeOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}

export function goTo(page: Page, parts: readonly string[] = [], query: Record<string, string> = {}): void {
  location.hash = hrefOf(page, parts, query);
}

/** Changes the query of this page without adding to the browser’s history. */
export function replaceQuery({ page, parts }: Route, query: Record<string, string>): void {
  history.replaceState(null, '', hrefOf(page, parts, query));
  dispatchEvent(new HashChangeEvent('hashchange'));
}

/**
 * Addresses of pages, in the hash: they work below any path, and the server never sees them. `#/jobs/JOB?state=running`
 * is the page `jobs` with the parts `['JOB']` and the query `{state: 'running'}`.
 */
export const PAGES = [
  'overview',
  'jobs',
  'submit',
  'collections',
  'search',
  'map',
  'models',
  'usage',
  'keys',
] as const;
export type Page = (typeof PAGES)[number];

export interface Route {
  readonly page: Page;
  readonly parts: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

/** The route of a location's hash; an unknown page leads to the overview. */
export function routeOf(hash: string): Route {
  const [path = '', search = ''] = split(hash.replace(/^#?\/?/, ''), '?');
  const [page = '', ...parts] = path.split('/').map(decoded);
  const known = PAGES.find((one) => one === page);
  if (known === undefined) return { page: 'overview', parts: [], query: {} };
  return {
    page: known,
    parts: parts.filter((part) => part !== ''),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

/** The address of a page; empty fields of the query are left out. */
export function hrefOf(
  page: Page,
  parts: readonly string[] = [],
  query: Record<string, string> = {},
): string {
  const path = [page, ...parts].map(encodeURIComponent).join('/');
  const given = Object.entries(query).filter(([, value]) => value !== '');
  const search = new URLSearchParams(given).toString();
  return search === '' ? `#/${path}` : `#/${path}?${search}`;
}

function split(text: string, by: string): [string, string] {
  const at = text.indexOf(by);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** A malformed escape, as in a hash typed by hand, is kept as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

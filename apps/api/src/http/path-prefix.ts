/**
 * The address of a request without the path that everything is below, where a proxy leaves it there. Requests that do
 * not come by the proxy, such as probes, are taken as they are.
 */
export function withoutPrefix(url: string, prefix: string): string {
  if (!url.startsWith(prefix)) return url;
  const rest = url.slice(prefix.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : url;
}

/**
 * Removes the path prefix from a request's URL, if a proxy has left it there. Requests that bypass the proxy, such as
 * probes, are accepted unchanged.
 */
export function withoutPrefix(url: string, prefix: string): string {
  if (!url.startsWith(prefix)) return url;
  const rest = url.slice(prefix.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : url;
}

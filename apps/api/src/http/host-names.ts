import { EmbedmillError } from '@embedmill/jobs';
import { isOwnHost } from '@embedmill/metrics';

/** Methods that change nothing. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses requests to a name that is not this server's. A web page whose name was pointed at 127.0.0.1 (DNS rebinding) has
 * this server's origin for the browser and could read everything, but it cannot change the Host that the browser sends.
 * Addresses and localhost cannot be pointed elsewhere.
 *
 * `host` is the request's Host, which programs other than browsers may omit. Errors: `misdirected`.
 */
export function assertOwnName(host: string | undefined, names: readonly string[]): void {
  if (isOwnHost(host, names)) return;
  const message = `this server does not accept the host name ${JSON.stringify(host?.slice(0, 100))}; add it to EMBEDMILL_API_NAMES, or use the server’s address`;
  throw new EmbedmillError('misdirected', message);
}

/**
 * Refuses changes requested by pages of other sites if no keys are required: browsers send such requests unasked and only
 * hide the response from the page. They mark them with `Sec-Fetch-Site`, and with `Origin` except for GET. Pages of this
 * server's own origin, or of one of its names, may change things; other programs send neither header. Errors:
 * `foreign_origin`.
 */
export function assertOwnOrigin(
  method: string,
  headers: {
    host?: string | undefined;
    origin?: string | undefined;
    'sec-fetch-site'?: string | string[] | undefined;
  },
  names: readonly string[],
): void {
  if (SAFE.has(method)) return;
  const { host, origin, 'sec-fetch-site': site } = headers;
  const url = origin === undefined ? undefined : URL.parse(origin);
  if (url && /^https?:$/.test(url.protocol) && names.includes(url.hostname)) return;
  const isForeign =
    url !== undefined && (url === null || url.host !== URL.parse(`${url.protocol}//${host}`)?.host);
  // The same site also includes other servers of the machine, on other ports.
  if (!isForeign && (site === undefined || site === 'same-origin' || site === 'none')) return;
  const from = origin === undefined ? 'another site' : JSON.stringify(origin.slice(0, 100));
  const message = `pages of ${from} may not change anything here; send the request from a program, set keys, or add the host to EMBEDMILL_API_NAMES`;
  throw new EmbedmillError('foreign_origin', message);
}

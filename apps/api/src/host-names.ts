import { BlockList, isIP } from 'node:net';
import { EmbedmillError } from '@embedmill/jobs';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a host, as in a URL or to listen on, is reached from this machine alone. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(address);
  if (family === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Refuses requests that were addressed to a name that is not this server's. A web page whose name has been pointed at
 * 127.0.0.1 is, for the browser that shows it, of this server's origin, and could read everything; but it cannot keep
 * the browser from saying whom it asks. Addresses and localhost cannot be pointed elsewhere.
 *
 * `host` is the request's Host, which programs that are no browsers may leave out. Errors: `misdirected`.
 */
export function assertOwnName(host: string | undefined, names: readonly string[]): void {
  if (host === undefined || host === '') return;
  const name = URL.parse(`http://${host}`)?.hostname.replace(/\.$/, '') ?? '';
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return;
  if (name === 'localhost' || name.endsWith('.localhost') || names.includes(name)) return;
  const message = `this server is not called ${JSON.stringify(host.slice(0, 100))}; name it in EMBEDMILL_API_NAMES, or ask it by its address`;
  throw new EmbedmillError('misdirected', message);
}

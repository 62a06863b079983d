import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a host, as in a URL or to listen on, is reachable only from this machine. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(address);
  if (family === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Whether a request's Host names this server: an address, localhost, or one of its names. A web page whose name was pointed
 * at 127.0.0.1 (DNS rebinding) has this server's origin for the browser and could read everything, but it cannot change the
 * Host that the browser sends. Programs other than browsers may omit the Host.
 */
export function isOwnHost(host: string | undefined, names: readonly string[] = []): boolean {
  if (host === undefined || host === '') return true;
  const name = URL.parse(`http://${host}`)?.hostname.replace(/\.$/, '') ?? '';
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true;
  return name === 'localhost' || name.endsWith('.localhost') || names.includes(name);
}

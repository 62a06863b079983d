import { BlockList, isIP } from 'node:net';
import { EmbedmillError } from '@embedmill/jobs';

/**
 * IPv4 ranges outside the public internet, from IANA's registries of special-purpose and multicast addresses
 * (https://www.iana.org/assignments/iana-ipv4-special-registry), They include clouds' metadata services, which are
 * link-local or have shared or protocol addresses. The one exception is listed last.
 */
const NOT_PUBLIC_IPV4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared by carriers
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // AMT
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarking
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '168.63.129.16/32', // Azure's platform services
];

/**
 * Only 2000::/3 of IPv6 is public; loopback, private, link-local, multicast, mapped IPv4 and NAT64 are elsewhere. These
 * ranges within it are not public, or lead to IPv4 addresses that may not be
 * (https://www.iana.org/assignments/iana-ipv6-special-registry).
 */
const GLOBAL_IPV6 = '2000::/3';
const NOT_PUBLIC_IPV6 = [
  '2001::/23', // protocol assignments, Teredo, ORCHID, benchmarking
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4
  '2620:4f:8000::/48', // AS112
  '3fff::/20', // documentation
];

const NOT_PUBLIC = subnets([...NOT_PUBLIC_IPV4, ...NOT_PUBLIC_IPV6]);
const GLOBAL = subnets([GLOBAL_IPV6]);

/** Whether a text is an IP address, in any notation, of the public internet. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !NOT_PUBLIC.check(address, 'ipv4');
    case 6:
      // Only local addresses have a zone ("%eth0").
      return !address.includes('%') && GLOBAL.check(address, 'ipv6') && !NOT_PUBLIC.check(address, 'ipv6');
    default:
      return false;
  }
}

/** Which hosts and addresses may be fetched from: public ones, and those explicitly allowed. */
export class AddressRules {
  readonly #hosts: ReadonlySet<string>;
  readonly #allowed: BlockList;

  /** `allow`: host names, IP addresses, or subnets (`10.0.0.0/8`). Throws `invalid_config` for anything else. */
  constructor(allow: readonly string[]) {
    const names = allow.filter((entry) => !isSubnet(entry));
    const wrong = names.find((name) => !/^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i.test(name));
    if (wrong !== undefined) {
      const message = `${JSON.stringify(wrong)} is not a host name, IP address or subnet (10.0.0.0/8)`;
      throw new EmbedmillError('invalid_config', message);
    }
    this.#hosts = new Set(names.map((name) => name.toLowerCase()));
    this.#allowed = subnets(allow.filter(isSubnet));
  }

  /** Whatever its addresses are. */
  allowsHost(name: string): boolean {
    return this.#hosts.has(name.toLowerCase());
  }

  allowsAddress(address: string): boolean {
    if (isPublicAddress(address)) return true;
    const family = isIP(address);
    return (
      family !== 0 && !address.includes('%') && this.#allowed.check(address, family === 4 ? 'ipv4' : 'ipv6')
    );
  }
}

function isSubnet(entry: string): boolean {
  const [address = '', prefix, ...more] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

function subnets(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  return list;
}

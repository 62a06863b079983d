import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { buildConnector } from 'undici';
import type { AddressRules } from './address-rules.ts';

/** Refusals of names are delayed to a multiple of this, which is longer than any reachable name server takes. */
const ANSWER_EVERY_MS = 2000;

/** A host's addresses. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** As the system resolves them, including its hosts file. */
export const systemResolve: Resolve = async (hostname) => {
  const addresses = await lookup(hostname, { all: true, order: 'verbatim' });
  return addresses.map(({ address }) => address);
};

/** Why a connection was not even tried. */
export class ForbiddenAddress extends Error {}

/**
 * Opens connections only to addresses that the rules allow. The check is part of connecting: a name is resolved once,
 * and only the addresses that were checked are used, so DNS rebinding gains nothing. If only some of a name's addresses
 * are allowed, those are used.
 */
export function checkedConnector(
  rules: AddressRules,
  resolve: Resolve,
  timeoutMs: number,
): buildConnector.connector {
  const allowedAddresses = async (hostname: string): Promise<readonly string[]> => {
    if (rules.allowsHost(hostname)) return resolve(hostname);
    const began = performance.now();
    const addresses = await resolve(hostname).catch(() => []);
    const allowed = addresses.filter((address) => rules.allowsAddress(address));
    if (allowed.length > 0) return allowed;
    // A name that resolves to an internal address and one that does not resolve give the same message after the same
    // time. Otherwise the author of the URL could find out which names this network knows.
    const took = performance.now() - began;
    await setTimeout(Math.ceil(took / ANSWER_EVERY_MS) * ANSWER_EVERY_MS - took);
    throw new ForbiddenAddress(`${hostname} has no public address`);
  };
  const checkedLookup: LookupFunction = (hostname, options, callback) => {
    allowedAddresses(hostname).then(
      (addresses) => {
        const found = addresses.map((address) => ({ address, family: isIP(address) }));
        const [first] = found;
        if (options.all === true) return callback(null, found);
        callback(
          first === undefined ? new Error(`${hostname} has no address`) : null,
          first?.address ?? '',
          first?.family,
        );
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), ''),
    );
  };
  const connect = buildConnector({
    timeout: timeoutMs,
    lookup: checkedLookup,
  } as buildConnector.BuildOptions);
  return (options, callback) => {
    // Node does not call the lookup for an IP address.
    const literal = options.hostname.replace(/^\[(.*)\]$/, '$1');
    if (isIP(literal) !== 0 && !rules.allowsAddress(literal)) {
      return callback(new ForbiddenAddress(`${literal} is not a public address`), null);
    }
    connect(options, callback);
  };
}

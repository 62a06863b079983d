import { EmbedmillError } from '@embedmill/jobs';

export interface Endpoint {
  host: string;
  port: number;
}

/** The address of a Redis, and how to connect to it. */
export type RedisAddress = { username?: string; password?: string; tls: boolean } & (
  | { kind: 'socket'; path: string }
  | { kind: 'server'; server: Endpoint; database: number }
  | { kind: 'sentinel'; sentinels: Endpoint[]; master: string; database: number }
  | { kind: 'cluster'; nodes: Endpoint[] }
);

const EXPECTED =
  'expected redis://[user:password@]host[:port][/database], redis+sentinel://[user:password@]host[:port],…/master-name[/database], ' +
  'redis+cluster://[user:password@]host[:port],…, each with rediss in place of redis for TLS, or the absolute path of a Unix socket';

const SCHEME = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(.*)$/s;
const ENDPOINT = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i;
const PORTS = { server: 6379, sentinel: 26_379, cluster: 6379 } as const;

/**
 * Parses a Redis address. Errors: `invalid_config`, which says what is wrong and what is expected, but never repeats
 * the address, because it may contain a password.
 */
export function parseRedisAddress(text: string): RedisAddress {
  if (text.startsWith('/')) return { kind: 'socket', path: text, tls: false };
  const [, scheme, variant, rest] = SCHEME.exec(text) ?? [];
  if (scheme === undefined || rest === undefined) throw invalid('its scheme is unknown');
  const kind = variant === 'sentinel' || variant === 'cluster' ? variant : 'server';
  if (/[?#]/.test(rest)) throw invalid('it has options after ? or #, which are not supported');

  const at = rest.lastIndexOf('@');
  const shared = { ...credentialsOf(at < 0 ? '' : rest.slice(0, at)), tls: scheme === 'rediss' };
  const [hosts = '', ...path] = rest.slice(at + 1).split('/');
  if (path.at(-1) === '') path.pop();
  const endpoints = hosts.split(',').map((one) => endpointOf(one, PORTS[kind]));

  switch (kind) {
    case 'server': {
      const [server, ...others] = endpoints;
      if (server === undefined || others.length > 0)
        throw invalid('it names several hosts; use redis+sentinel: or redis+cluster:');
      return { ...shared, kind, server, database: databaseOf(path) };
    }
    case 'sentinel': {
      const [master, ...database] = path;
      if (master === undefined || master === '') throw invalid('it lacks the sentinels’ name of the master');
      return {
        ...shared,
        kind,
        sentinels: endpoints,
        master: decoded(master),
        database: databaseOf(database),
      };
    }
    case 'cluster':
      if (databaseOf(path) !== 0) throw invalid('a cluster has only database 0');
      return { ...shared, kind, nodes: endpoints };
  }
}

function credentialsOf(text: string): { username?: string; password?: string } {
  if (text === '') return {};
  const colon = text.indexOf(':');
  const username = decoded(colon < 0 ? text : text.slice(0, colon));
  const password = colon < 0 ? '' : decoded(text.slice(colon + 1));
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

function endpointOf(text: string, usualPort: number): Endpoint {
  const [, ipv6, name, port] = ENDPOINT.exec(text) ?? [];
  const host = ipv6 ?? name;
  if (host === undefined) throw invalid(text === '' ? 'a host is missing' : 'a host or a port is not valid');
  const number = port === undefined ? usualPort : Number(port);
  if (number < 1 || number > 65_535) throw invalid(`the port ${number} is out of range`);
  return { host, port: number };
}

function databaseOf(path: string[]): number {
  const [text = '0', ...more] = path;
  if (more.length > 0 || !/^\d{1,4}$/.test(text)) throw invalid('the database is not a number');
  return Number(text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('a % in it is not followed by two hexadecimal digits; write %25 for % itself');
  }
}

function invalid(why: string): EmbedmillError {
  return new EmbedmillError(
    'invalid_config',
    `the address of Redis (REDIS_URL or QUEUE_URL) is wrong: ${why}; ${EXPECTED}`,
  );
}

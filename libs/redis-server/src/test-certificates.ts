import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programOnPath } from './program.ts';

const run = promisify(execFile);

/** Whether certificates can be made here. */
export const hasOpenssl = programOnPath('openssl') !== undefined;

export interface Certificates {
  /** The authority's certificate, for REDIS_TLS_CA. */
  ca: string;
  /** The settings for TLS with a certificate of this authority. */
  settings: Record<string, string>;
}

/** A new authority in this folder, and a certificate for this machine. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: folder });
  const fresh = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  await openssl(...fresh, '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  await openssl(
    ...fresh,
    ...['-subj', '/CN=test redis', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ...['-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-CA', 'ca.pem', '-CAkey', 'ca.key', '-keyout', 'redis.key', '-out', 'redis.pem'],
  );
  const settings = {
    'tls-cert-file': file('redis.pem'),
    'tls-key-file': file('redis.key'),
    'tls-ca-cert-file': file('ca.pem'),
    'tls-auth-clients': 'no',
  };
  return { ca: file('ca.pem'), settings };
}

/** Settings as a redis-server's arguments. */
export function redisArguments(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

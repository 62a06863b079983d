import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programOnPath } from './program.ts';
import { freePort, startRedisProcess } from './test-process.ts';

const run = promisify(execFile);

export interface TestTlsRedis {
  /** As REDIS_URL has it, with a password. */
  url: string;
  /** The certificate of the authority that signed the server's, as REDIS_TLS_CA has it. */
  ca: string;
  stop(): Promise<void>;
}

/** Whether certificates can be made here. */
export const hasOpenssl = programOnPath('openssl') !== undefined;

/** A real redis-server that speaks TLS only, with a certificate by an authority of its own. */
export async function startTestTlsRedis(): Promise<TestTlsRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-tls-'));
  try {
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
    const port = await freePort();
    const settings = {
      port: '0',
      'tls-port': String(port),
      bind: '127.0.0.1',
      dir: folder,
      save: '',
      'tls-cert-file': file('redis.pem'),
      'tls-key-file': file('redis.key'),
      'tls-ca-cert-file': file('ca.pem'),
      'tls-auth-clients': 'no',
      requirepass: 'test-password',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const server = await startRedisProcess(port, args);
    return {
      url: `rediss://:test-password@127.0.0.1:${port}`,
      ca: file('ca.pem'),
      async stop() {
        await server.kill();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

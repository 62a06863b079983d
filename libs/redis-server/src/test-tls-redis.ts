import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates, redisArguments } from './test-certificates.ts';
import { freePort, startRedisProcess } from './test-process.ts';

export interface TestTlsRedis {
  /** A value for REDIS_URL, with a password. */
  url: string;
  /** The certificate of the authority that signed the server's, for REDIS_TLS_CA. */
  ca: string;
  stop(): Promise<void>;
}

/** A real redis-server that accepts only TLS, with a certificate of its own authority. */
export async function startTestTlsRedis(): Promise<TestTlsRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-tls-'));
  try {
    const { ca, settings } = await makeCertificates(folder);
    const server = await startRedisProcess(async () => {
      const port = await freePort();
      const own = { port: '0', 'tls-port': String(port), bind: '127.0.0.1', dir: folder, save: '' };
      return { port, args: redisArguments({ ...own, ...settings, requirepass: 'test-password' }) };
    });
    return {
      url: `rediss://:test-password@127.0.0.1:${server.port}`,
      ca,
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

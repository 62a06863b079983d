import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates, redisArguments } from './test-certificates.ts';
import { freePort, startRedisProcess, tellRedis, until, type RedisProcess } from './test-process.ts';

export interface TestCluster {
  /** A value for REDIS_URL. */
  url: string;
  ports: number[];
  /** A value for REDIS_TLS_CA, with `tls`. */
  ca: string | undefined;
  stop(): Promise<void>;
}

const MASTERS = 3;
const SLOTS = 16_384;

/** A real cluster of three masters; `ports` never use TLS. */
export async function startTestCluster({ tls = false } = {}): Promise<TestCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-cluster-'));
  const nodes: RedisProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const one of nodes.splice(0)) await one.kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const certificates = tls ? await makeCertificates(folder) : undefined;
    const clientPorts: number[] = [];
    for (let n = 0; n < MASTERS; n += 1) {
      const dir = join(folder, String(n));
      await mkdir(dir);
      const node = await startRedisProcess(async () => {
        const port = await freePort();
        clientPorts[n] = tls ? await freePort() : port;
        const byTls = { 'tls-port': String(clientPorts[n]), 'tls-cluster': 'yes', ...certificates?.settings };
        const own = { port: String(port), bind: '127.0.0.1', dir, save: '', 'cluster-enabled': 'yes' };
        return { port, args: redisArguments({ ...own, ...(tls ? byTls : {}) }) };
      });
      nodes.push(node);
    }
    for (const [n, { port }] of nodes.entries()) {
      const first = Math.ceil((n * SLOTS) / MASTERS);
      const end = Math.ceil(((n + 1) * SLOTS) / MASTERS);
      const slots = Array.from({ length: end - first }, (_, at) => first + at);
      await tellRedis(port, `CLUSTER ADDSLOTS ${slots.join(' ')}`);
      await tellRedis(port, `CLUSTER SET-CONFIG-EPOCH ${n + 1}`);
    }
    for (const { port } of nodes.slice(1))
      await tellRedis(port, `CLUSTER MEET 127.0.0.1 ${clientPorts[0] ?? 0}`);
    for (const { port } of nodes) {
      await until('the cluster is whole', async () => {
        const info = await tellRedis(port, 'CLUSTER INFO');
        return info.includes('cluster_state:ok') && info.includes(`cluster_size:${MASTERS}`);
      });
    }
    const ports = nodes.map(({ port }) => port);
    const hosts = clientPorts.map((port) => `127.0.0.1:${port}`).join(',');
    return { url: `${tls ? 'rediss' : 'redis'}+cluster://${hosts}`, ports, ca: certificates?.ca, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

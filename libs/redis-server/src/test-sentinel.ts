import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startRedisProcess, tellRedis, until, type RedisProcess } from './test-process.ts';

export interface TestSentinel {
  /** A value for REDIS_URL, with the servers' password. */
  url: string;
  /** A value for REDIS_SENTINEL_PASSWORD. */
  sentinelPassword: string;
  /** Resolves once the replica has everything that the master had at the call. */
  waitForReplica(): Promise<void>;
  /** Kills the master like a crash; the sentinel promotes the replica. */
  killMaster(): Promise<void>;
  stop(): Promise<void>;
}

const MASTER = 'main';
const PASSWORD = 'test-password';
const SENTINEL_PASSWORD = 'test-sentinel-password';

/** A real master with a replica, and a sentinel that monitors them. */
export async function startTestSentinel(): Promise<TestSentinel> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-sentinel-'));
  const processes: RedisProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const one of processes.splice(0)) await one.kill();
    await rm(folder, { recursive: true, force: true });
  };
  const start = async (name: string, args: string[]): Promise<RedisProcess> => {
    const dir = join(folder, name);
    await mkdir(dir);
    const passwords = ['--requirepass', PASSWORD, '--masterauth', PASSWORD];
    const running = await startRedisProcess(async () => {
      const port = await freePort();
      const usual = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''];
      return { port, args: [...args, ...usual, ...passwords] };
    });
    processes.push(running);
    return running;
  };
  try {
    const master = await start('master', ['--repl-diskless-sync-delay', '0']);
    await start('replica', ['--replicaof', '127.0.0.1', String(master.port)]);
    const isReplicated = async (): Promise<boolean> =>
      (await tellRedis(master.port, 'INFO replication', PASSWORD)).includes('state=online');
    await until('the replica follows its master', isReplicated);

    const config = join(folder, 'sentinel.conf');
    const watched = [
      `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 1`,
      `sentinel auth-pass ${MASTER} ${PASSWORD}`,
      `requirepass ${SENTINEL_PASSWORD}`,
      `sentinel down-after-milliseconds ${MASTER} 500`,
      `sentinel failover-timeout ${MASTER} 3000`,
    ];
    await writeFile(config, `${watched.join('\n')}\n`);
    const sentinel = await startRedisProcess(async () => {
      const port = await freePort();
      const usual = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
      return { port, args: [config, '--sentinel', ...usual] };
    });
    processes.push(sentinel);
    const { port } = sentinel;
    const knowsReplica = async (): Promise<boolean> =>
      (await tellRedis(port, `SENTINEL replicas ${MASTER}`, SENTINEL_PASSWORD)).includes('slave-priority');
    await until('the sentinel knows the replica', knowsReplica);
    return {
      url: `redis+sentinel://:${PASSWORD}@127.0.0.1:${port}/${MASTER}`,
      sentinelPassword: SENTINEL_PASSWORD,
      async waitForReplica() {
        const offsets = async (): Promise<boolean> => {
          const info = await tellRedis(master.port, 'INFO replication', PASSWORD);
          const sent = /master_repl_offset:(\d+)/.exec(info)?.[1];
          return sent !== undefined && info.includes(`offset=${sent},`);
        };
        await until('the replica has what its master has', offsets);
      },
      killMaster: () => master.kill(),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A real PostgreSQL server for one test, on a Unix socket in a temporary folder. */
export interface TestPostgres {
  /** A value for QUEUE_URL. */
  url: string;
  /** Stops it like a crash, and keeps its files. */
  kill(): Promise<void>;
  /** Starts it again on the same files. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const PROGRAMS = programFolder();
const ACCOUNT = unprivilegedAccount();

/** Why PostgreSQL cannot run here; undefined if it can. */
export const missingPostgres: string | undefined =
  PROGRAMS === undefined
    ? 'no PostgreSQL here'
    : ACCOUNT === undefined
      ? 'PostgreSQL refuses to run as root, and there is no user postgres or nobody'
      : undefined;

export async function startTestPostgres(): Promise<TestPostgres> {
  if (PROGRAMS === undefined || ACCOUNT === undefined) throw new Error(missingPostgres);
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-postgres-'));
  const identity = ACCOUNT === 'own' ? {} : ACCOUNT;
  const log = join(folder, 'log');
  let server: ReturnType<typeof spawn> | undefined;

  const kill = async (): Promise<void> => {
    if (server === undefined) return;
    const ended = server.exitCode ?? server.signalCode;
    // The postmaster immediately takes its children with it.
    server.kill('SIGQUIT');
    if (ended === null) await once(server, 'exit');
    server = undefined;
  };
  const start = async (): Promise<void> => {
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${folder}`,
      'fsync=off',
      'max_connections=200',
    ];
    const options = settings.flatMap((setting) => ['-c', setting]);
    server = spawn(join(PROGRAMS, 'postgres'), ['-D', join(folder, 'data'), ...options], {
      stdio: ['ignore', 'ignore', openSync(log, 'a')],
      ...identity,
    });
    const isReady = (): Promise<boolean> =>
      run(join(PROGRAMS, 'pg_isready'), ['-q', '-h', folder], identity).then(
        () => true,
        () => false,
      );
    for (const deadline = Date.now() + 45_000; !(await isReady()); await setTimeout(30)) {
      if (Date.now() < deadline) continue;
      throw new Error(`PostgreSQL did not start: ${await readFile(log, 'utf8').catch(() => '')}`);
    }
  };
  const stop = async (): Promise<void> => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    if (ACCOUNT !== 'own') await chown(folder, ACCOUNT.uid, ACCOUNT.gid);
    const initdb = ['-D', join(folder, 'data'), '-U', 'embedmill', '-A', 'trust', '--no-sync', '-E', 'UTF8'];
    await run(join(PROGRAMS, 'initdb'), [...initdb, '--locale=C'], { ...identity, cwd: folder });
    await start();
    return { url: `postgres://embedmill@/postgres?host=${encodeURIComponent(folder)}`, kill, start, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Debian installs the server's programs outside the PATH, by version. */
function programFolder(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  const needed = ['initdb', 'postgres', 'pg_isready'];
  return folders.find((folder) => needed.every((name) => existsSync(join(folder, name))));
}

/** The user to run PostgreSQL as: the current one, or the package's user if that is root. */
function unprivilegedAccount(): 'own' | { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return 'own';
  const accounts = existsSync('/etc/passwd') ? readPasswd() : [];
  const found =
    accounts.find(({ name }) => name === 'postgres') ?? accounts.find(({ name }) => name === 'nobody');
  return found && { uid: found.uid, gid: found.gid };
}

function readPasswd(): { name: string; uid: number; gid: number }[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}

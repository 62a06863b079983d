import { EmbedmillError } from '@embedmill/jobs';
import { programOnPath, type RedisProgram } from './program.ts';
import { canUnpackRedis, unpackedRedis, unpackRedis } from './redis-package.ts';

/**
 * The fallbacks without REDIS_URL: `redis-server` on the PATH, else Debian's package unpacked into `packageFolder`
 * (downloaded if missing), else `queue_unavailable` with the one command to run.
 */
export async function findRedisProgram(
  packageFolder: string,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<RedisProgram> {
  const present = presentRedisProgram(packageFolder);
  if (present !== undefined) return present;
  if (!canUnpackRedis()) throw noRedis();
  tell(`no redis-server on the PATH: unpacking Debian’s package (3 MB, once) into ${packageFolder}`);
  try {
    return await unpackRedis(packageFolder, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    const why = stderr.split('\n').at(-1) || (error instanceof Error ? error.message : String(error));
    throw noRedis(`, and its package cannot be downloaded (${why})`, error);
  }
}

function noRedis(why = '', cause?: unknown): EmbedmillError {
  return new EmbedmillError('queue_unavailable', `there is no redis-server here${why}; ${howToInstall()}`, {
    cause,
  });
}

/** The redis-server that already exists here. */
export function presentRedisProgram(packageFolder: string): RedisProgram | undefined {
  const path = programOnPath('redis-server');
  return path === undefined ? unpackedRedis(packageFolder) : { path, origin: 'PATH', environment: {} };
}

/** The one command that installs a Redis here. */
export function howToInstall(): string {
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  const command = installCommand(sudo);
  return command === undefined
    ? 'install Redis 6.2 or newer, or set REDIS_URL'
    : `run "${command}", or set REDIS_URL`;
}

function installCommand(sudo: string): string | undefined {
  if (process.platform === 'darwin') return 'brew install redis';
  if (process.platform !== 'linux') return undefined;
  const commands: [program: string, command: string][] = [
    ['apt-get', 'apt-get install -y redis-server'],
    ['dnf', 'dnf install -y redis'],
    ['apk', 'apk add redis'],
    ['pacman', 'pacman -S --noconfirm redis'],
    ['zypper', 'zypper install -y redis'],
  ];
  const found = commands.find(([program]) => programOnPath(program) !== undefined);
  return found === undefined ? undefined : `${sudo}${found[1]}`;
}

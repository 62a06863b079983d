/** What the system tells of processes: on Linux by /proc, elsewhere by `ps`, which does not know of ports. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessEntry {
  pid: number;
  parent: number;
  /** Its program and arguments; a program may have put a title in their place, as npm does. */
  args: string[];
}

const hasProc = existsSync('/proc/self/stat');

/** The process, when there is one that has not ended. */
export function processEntry(pid: number): ProcessEntry | undefined {
  return hasProc ? entryByProc(pid) : entryByPs(pid);
}

/** Whether there is such a process, and it has not ended. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return !hasProc || entryByProc(pid) !== undefined;
}

export function entryByProc(pid: number): ProcessEntry | undefined {
  try {
    const [state, parent] = statOf(pid);
    if (isOver(state)) return undefined;
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
    return { pid, parent: Number(parent), args };
  } catch {
    return undefined;
  }
}

export function entryByPs(pid: number): ProcessEntry | undefined {
  try {
    const line = execFileSync('ps', ['-ww', '-o', 'stat=,ppid=,args=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [state, parent, ...args] = line.trim().split(/\s+/);
    return isOver(state) ? undefined : { pid, parent: Number(parent), args };
  } catch {
    return undefined;
  }
}

/** Ended, and nobody has asked how: a zombie. */
function isOver(state: string | undefined): boolean {
  return state === undefined || /^[ZX]/.test(state);
}

/** A variable of the environment that a process was started with; undefined also for another user's process. */
export function startVariable(pid: number, name: string): string | undefined {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return variables.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
  } catch {
    return undefined;
  }
}

/** The process that listens on a port of this machine; undefined also where it is another user's. */
export function listenerOn(port: number): number | undefined {
  if (!hasProc) return undefined;
  const sockets = new Set(['tcp', 'tcp6'].flatMap((table) => listeningSockets(table, port)));
  if (sockets.size === 0) return undefined;
  return pids().find((pid) => socketsOf(pid).some((inode) => sockets.has(inode)));
}

/** State and parent: the fields behind the name of /proc/<pid>/stat, which may itself have spaces (proc(5)). */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** Of a table in /proc/net: inodes of sockets that listen (state 0A) on the port. */
function listeningSockets(table: string, port: number): string[] {
  const path = `/proc/net/${table}`;
  // A machine without IPv6 has no tcp6.
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [local, state, inode] = [fields[1], fields[3], fields[9]];
    return state === '0A' && local?.endsWith(ending) && inode !== undefined ? [inode] : [];
  });
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

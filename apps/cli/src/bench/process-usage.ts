import { readdirSync, readFileSync } from 'node:fs';

/**
 * The peak resident memory of a process and its descendants, each at its own peak, in bytes. Undefined on systems without
 * Linux' /proc.
 */
export function peakRssOf(pid: number): number | undefined {
  const own = statusOf(pid, 'VmHWM');
  if (own === undefined) return undefined;
  return childrenOf(pid).reduce((sum, child) => sum + (peakRssOf(child) ?? 0), own);
}

/** The current resident memory of a process, without its children, in bytes. */
export function rssOf(pid: number): number | undefined {
  return statusOf(pid, 'VmRSS');
}

/** User and system time of a process, in seconds; clock ticks are hundredths of a second everywhere today. */
export function cpuSecondsOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The second field is the program's name, in parentheses, with anything in it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) / 100;
}

function statusOf(pid: number, field: 'VmHWM' | 'VmRSS'): number | undefined {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

export function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const lists = threads.map((thread) => read(`/proc/${pid}/task/${thread}/children`) ?? '');
    return lists.flatMap((list) => list.split(' ').filter((one) => one !== '')).map(Number);
  } catch {
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

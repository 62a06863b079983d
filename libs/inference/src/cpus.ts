import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

/** How many engine processes to run on a machine, and how many threads each computes with. */
export interface EngineLayout {
  processes: number;
  threads: number;
}

/**
 * The number of CPUs that this process may keep busy, at least 1: those it may run on (affinity), or fewer if a cgroup
 * limits its CPU time (`cpu.max` of version 2, `cpu.cfs_quota_us` of version 1), as Kubernetes and Docker do. ONNX
 * Runtime's thread pool ignores such limits, and is throttled if it spins beyond them.
 * @param root the folder of `proc` and `sys`
 */
export function availableCpus(root = '/'): number {
  return Math.max(1, Math.floor(Math.min(availableParallelism(), cpuQuota(root))));
}

/** Memory in addition to the weights: Node, ONNX Runtime, and the arena of a run. */
const ENGINE_BYTES = 200e6;

/**
 * A reasonable layout without a calibration: one single-threaded engine per CPU if their models fit into half of the
 * memory, otherwise fewer engines with more threads. Threads that share a run wait for one another after every
 * operator, so fewer threads per engine are more efficient.
 * @param modelBytes the size of a model's weights
 */
export function defaultLayout(cpus: number, modelBytes: number, memoryBytes: number): EngineLayout {
  const fit = Math.max(1, Math.floor(memoryBytes / 2 / (modelBytes + ENGINE_BYTES)));
  const threads = Math.ceil(cpus / Math.min(cpus, fit));
  return { processes: Math.max(1, Math.floor(cpus / threads)), threads };
}

/** The memory that this process may use: the machine's, or less if a cgroup limits it. */
export function availableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** The smallest limit of this process's cgroup and its ancestors; Infinity if there is none. */
function cpuQuota(root: string): number {
  const memberships = read(join(root, 'proc/self/cgroup')) ?? '';
  let quota = Infinity;
  for (const line of memberships.trim().split('\n')) {
    const [, controllers = '', ...rest] = line.split(':');
    const path = rest.join(':');
    if (controllers === '') {
      quota = Math.min(quota, smallest(join(root, 'sys/fs/cgroup'), path, quotaV2));
    } else if (controllers.split(',').includes('cpu')) {
      for (const mount of new Set([controllers, 'cpu'])) {
        quota = Math.min(quota, smallest(join(root, 'sys/fs/cgroup', mount), path, quotaV1));
      }
    }
  }
  return quota;
}

/** From the group's own folder up to the mount. In a container the path may name folders that are not visible. */
function smallest(mount: string, path: string, quotaOf: (folder: string) => number): number {
  let quota = quotaOf(mount);
  for (let folder = path; folder !== '/' && folder !== '.' && folder !== ''; folder = dirname(folder)) {
    quota = Math.min(quota, quotaOf(join(mount, folder)));
  }
  return quota;
}

function quotaV2(folder: string): number {
  const [quota, period] = (read(join(folder, 'cpu.max')) ?? '').trim().split(' ');
  return ratio(Number(quota), Number(period));
}

function quotaV1(folder: string): number {
  const quota = Number(read(join(folder, 'cpu.cfs_quota_us')));
  return ratio(quota, Number(read(join(folder, 'cpu.cfs_period_us'))));
}

/** `max` of version 2 reads as NaN and -1 of version 1 is negative: both mean no limit. */
function ratio(quota: number, period: number): number {
  return quota > 0 && period > 0 ? quota / period : Infinity;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

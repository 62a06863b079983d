import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

/** How many engine processes to run on a machine, and how many threads each computes with. */
export interface EngineLayout {
  processes: number;
  threads: number;
}

/**
 * CPUs that this process may keep busy, at least 1: those it may run on (affinity), or fewer where a cgroup
 * limits its time (`cpu.max` of version 2, `cpu.cfs_quota_us` of version 1), as Kubernetes and Docker do.
 * ONNX Runtime's thread pool knows nothing of such limits, and is throttled when it spins beyond them.
 * @param root where `proc` and `sys` are
 */
export function availableCpus(root = '/'): number {
  return Math.max(1, Math.floor(Math.min(availableParallelism(), cpuQuota(root))));
}

/** Beside its weights: Node, ONNX Runtime, and the arena of a run. */
const ENGINE_BYTES = 200e6;

/**
 * A sane layout for so many CPUs: an engine of one thread for each, as far as their models fit into half of
 * the memory, and more threads an engine where they do not. Threads that share a run wait for one another after
 * every operator; a calibration on the machine itself knows better.
 * @param modelBytes what a model's weights take
 */
export function defaultLayout(cpus: number, modelBytes: number, memoryBytes: number): EngineLayout {
  const fit = Math.max(1, Math.floor(memoryBytes / 2 / (modelBytes + ENGINE_BYTES)));
  const threads = Math.ceil(cpus / Math.min(cpus, fit));
  return { processes: Math.max(1, Math.floor(cpus / threads)), threads };
}

/** Memory that this process may use: the machine's, or less where a cgroup limits it. */
export function availableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** The smallest limit among this process's cgroup and those it is in; Infinity where there is none. */
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

/** From the group's own folder up to the mount; in a container the path may name folders that it cannot see. */
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

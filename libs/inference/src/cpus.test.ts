import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { availableCpus, availableMemory, defaultLayout } from './cpus.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'embedmill-cpus-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function machine(files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}
const affinity = availableParallelism();

it('counts the CPUs it may run on when nothing limits it', async () => {
  expect(availableCpus(root)).toBe(affinity);
  await machine({
    'proc/self/cgroup': '0::/user.slice\n',
    'sys/fs/cgroup/user.slice/cpu.max': 'max 100000\n',
  });
  expect(availableCpus(root)).toBe(affinity);
});

it('keeps to a quota of cgroup version 2', async () => {
  await machine({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n' });
  expect(availableCpus(root)).toBe(1);
});

it('keeps to the quota of a group that its own is in', async () => {
  await machine({
    'proc/self/cgroup': '0::/kubepods/pod/container\n',
    'sys/fs/cgroup/kubepods/pod/container/cpu.max': 'max 100000\n',
    'sys/fs/cgroup/kubepods/pod/cpu.max': '100000 100000\n',
  });
  expect(availableCpus(root)).toBe(1);
});

it('keeps to a quota of cgroup version 1, also where the path is one of the host', async () => {
  await machine({
    'proc/self/cgroup': '5:devices:/x\n4:cpu,cpuacct:/docker/abc\n',
    'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '100000\n',
    'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
  });
  expect(availableCpus(root)).toBe(1);
});

it('takes -1 of version 1 for no limit, and never says less than one', async () => {
  await machine({
    'proc/self/cgroup': '1:cpu:/\n',
    'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
    'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  });
  expect(availableCpus(root)).toBe(affinity);
  await machine({ 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '20000\n' });
  expect(availableCpus(root)).toBe(1);
});

it('gives each CPU an engine, and engines more threads where memory has no room for so many models', () => {
  expect(defaultLayout(1, 25e6, 24e9)).toEqual({ processes: 1, threads: 1 });
  expect(defaultLayout(2, 25e6, 24e9)).toEqual({ processes: 2, threads: 1 });
  expect(defaultLayout(64, 25e6, 256e9)).toEqual({ processes: 64, threads: 1 });
  expect(defaultLayout(64, 1300e6, 64e9)).toEqual({ processes: 16, threads: 4 });
  expect(defaultLayout(4, 1300e6, 1e9)).toEqual({ processes: 1, threads: 4 });
});

it('never assigns more threads than there are CPUs, and at least one', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 512 }),
      fc.integer({ min: 0, max: 1e11 }),
      fc.integer({ min: 1e6, max: 4e12 }),
      (cpus, modelBytes, memoryBytes) => {
        const { processes, threads } = defaultLayout(cpus, modelBytes, memoryBytes);
        expect(processes).toBeGreaterThanOrEqual(1);
        expect(threads).toBeGreaterThanOrEqual(1);
        expect(processes * threads).toBeLessThanOrEqual(cpus);
        expect(processes * threads).toBeGreaterThan(cpus / 2);
      },
    ),
  );
});

it('knows how much memory there is', () => {
  expect(availableMemory()).toBeGreaterThan(50e6);
  expect(availableMemory()).toBeLessThanOrEqual(totalmem());
});

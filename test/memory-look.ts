import { readFile } from 'node:fs/promises';
import { childrenOf, type UpState } from './embedmill.ts';

/** Memory of the processes over the course of a job; `at` is the share of the job that is done. */
export class MemoryLook {
  readonly #seen: Record<'worker' | 'api' | 'redis', { at: number; mb: number }[]> = {
    worker: [],
    api: [],
    redis: [],
  };

  async look(state: UpState | undefined, at: number): Promise<void> {
    if (state === undefined) return;
    const { worker, api, redis } = state.processes;
    // A worker and its engines count as one.
    const pids = { worker: [worker, ...(await childrenOf(worker))], api: [api], redis: [redis] };
    for (const [name, all] of Object.entries(pids) as [keyof typeof pids, (number | null)[]][]) {
      const mb = (await Promise.all(all.map(residentMB))).reduce((sum, one) => sum + one, 0);
      if (mb > 0) this.#seen[name].push({ at, mb });
    }
  }

  /** The peak of each, and its growth from the first half to the second. */
  report() {
    const { worker, api, redis } = this.#seen;
    return { worker: growthOf(worker), api: growthOf(api), redis: growthOf(redis) };
  }
}

function growthOf(seen: readonly { at: number; mb: number }[]): { peakMB: number; growth: number } {
  const most = (some: typeof seen): number => Math.max(0, ...some.map(({ mb }) => mb));
  const first = most(seen.filter(({ at }) => at <= 0.5));
  const second = most(seen.filter(({ at }) => at > 0.5));
  return { peakMB: Math.max(first, second), growth: first === 0 ? 1 : second / first };
}

async function residentMB(pid: number | null): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
}

import { readFile } from 'node:fs/promises';
import type { EngineEvent } from '@embedmill/inference';
import type { Metrics } from '@embedmill/metrics';

/**
 * Counts the engine processes of a worker and their memory, for each scrape. Receives every engine's events; a closed
 * engine sends none, and is found missing at the next scrape.
 */
export class EngineGauges {
  readonly #pids = new Set<number>();

  constructor(metrics: Pick<Metrics<'worker'>, 'beforeScrape' | 'engines' | 'engineMemoryBytes'>) {
    metrics.beforeScrape(async () => {
      const pids = [...this.#pids];
      const resident = await Promise.all(pids.map(residentBytes));
      for (const [n, pid] of pids.entries())
        if (resident[n] === undefined && !isAlive(pid)) this.#pids.delete(pid);
      metrics.engines.set(this.#pids.size);
      metrics.engineMemoryBytes.clear();
      // Only if the system reports it for all, because a partial sum would look like freed memory.
      if (process.platform === 'linux')
        metrics.engineMemoryBytes.set(resident.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0));
    });
  }

  note(event: EngineEvent): void {
    if (event.kind === 'ready') this.#pids.add(event.pid);
    if (event.kind === 'died' && event.pid !== undefined) this.#pids.delete(event.pid);
  }
}

/** `VmRSS` of proc(5), in kB of 1024 bytes; undefined if there is no such process, or no /proc. */
async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

import type { Progress } from '@embedmill/jobs';
import type { Queue, Settled } from '@embedmill/queue';
import { DelayedWrite } from '../access/delayed-write.ts';
import type { ApiParts } from '../parts.ts';

/** What this dispatcher settled, for rates. It is written once a second; progress and usage are exact. */
export class SettledCounts {
  readonly #write: DelayedWrite;
  #byTenant = new Map<string, Settled>();

  constructor(queue: Pick<Queue, 'countSettled'>, log: Pick<ApiParts['log'], 'warn'>) {
    const write = async (): Promise<void> => {
      const byTenant = this.#byTenant;
      this.#byTenant = new Map();
      if (byTenant.size > 0) await queue.countSettled(byTenant);
    };
    this.#write = new DelayedWrite(write, log, 'lost the rates of some seconds');
  }

  /** How a job's progress changed when results were added. */
  add(tenant: string | undefined, before: Progress, after: Progress): void {
    const sum = this.#byTenant.get(tenant ?? '') ?? { documents: 0, failed: 0, tokens: 0 };
    this.#byTenant.set(tenant ?? '', {
      documents: sum.documents + after.done - before.done,
      failed: sum.failed + after.failed - before.failed,
      tokens: sum.tokens + after.tokens - before.tokens,
    });
    this.#write.due();
  }

  /** Resolves once everything was written, or could not be. */
  close(): Promise<void> {
    return this.#write.now();
  }
}

import { dayOf, type UsageAmounts } from '@embedmill/jobs';
import type { Queue, UsageEntry } from '@embedmill/queue';
import { DelayedWrite } from './delayed-write.ts';
import type { ApiParts } from '../parts.ts';

/** The usage of requests without a job, written once a second; jobs' usage is exact. */
export class QueryUsage {
  readonly #write: DelayedWrite;
  #entries = new Map<string, UsageEntry>();

  constructor(queue: Pick<Queue, 'countUsage'>, log: Pick<ApiParts['log'], 'warn'>) {
    const write = async (): Promise<void> => {
      const entries = [...this.#entries.values()];
      this.#entries = new Map();
      if (entries.length > 0) await queue.countUsage(entries);
    };
    this.#write = new DelayedWrite(write, log, 'lost the usage of some requests');
  }

  add(of: Omit<UsageEntry, 'day' | keyof UsageAmounts>, tokens: number): void {
    const day = dayOf(Date.now());
    const id = JSON.stringify([day, of.key, of.tenant, of.collection, of.model]);
    const before = this.#entries.get(id)?.tokens ?? 0;
    this.#entries.set(id, { ...of, day, documents: 0, tokens: before + tokens, engineMs: 0 });
    this.#write.due();
  }

  /** Resolves once everything was written, or could not be. */
  close(): Promise<void> {
    return this.#write.now();
  }
}

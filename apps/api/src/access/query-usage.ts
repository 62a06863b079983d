import { dayOf, type UsageAmounts } from '@embedmill/jobs';
import type { Queue, UsageEntry } from '@embedmill/queue';
import type { ApiParts } from '../parts.ts';

const KEPT_MS = 1000;

/**
 * Usage of requests that are no jobs. It is summed up here and written once a second, so that a query costs no more
 * calls for it: what a process that is killed has not written is lost. Jobs' usage is exact.
 */
export class QueryUsage {
  readonly #queue: Pick<Queue, 'countUsage'>;
  readonly #log: Pick<ApiParts['log'], 'warn'>;
  #entries = new Map<string, UsageEntry>();
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(queue: Pick<Queue, 'countUsage'>, log: Pick<ApiParts['log'], 'warn'>) {
    this.#queue = queue;
    this.#log = log;
  }

  add(of: Omit<UsageEntry, 'day' | keyof UsageAmounts>, tokens: number): void {
    const day = dayOf(Date.now());
    const id = JSON.stringify([day, of.key, of.tenant, of.collection, of.model]);
    const before = this.#entries.get(id)?.tokens ?? 0;
    this.#entries.set(id, { ...of, day, documents: 0, tokens: before + tokens, engineMs: 0 });
    this.#timer ??= setTimeout(() => void this.#write(), KEPT_MS).unref();
  }

  /** Resolves once everything was written, or could not be. */
  async close(): Promise<void> {
    await this.#write();
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const entries = [...this.#entries.values()];
    this.#entries = new Map();
    if (entries.length === 0) return this.#writing;
    this.#writing = this.#writing
      .then(() => this.#queue.countUsage(entries))
      .catch((error: unknown) =>
        this.#log.warn({ err: error, entries: entries.length }, 'usage of requests was lost'),
      );
    return this.#writing;
  }
}

import type { Progress } from '@embedmill/jobs';
import type { Queue, Settled } from '@embedmill/queue';
import type { ApiParts } from './parts.ts';

const KEPT_MS = 1000;

/**
 * What the dispatcher here settled, for rates: summed up and written once a second, so that a turn costs no call for it.
 * What a process that is killed has not written is lost; progress and usage are exact.
 */
export class SettledCounts {
  readonly #queue: Pick<Queue, 'countSettled'>;
  readonly #log: Pick<ApiParts['log'], 'warn'>;
  #byTenant = new Map<string, Settled>();
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(queue: Pick<Queue, 'countSettled'>, log: Pick<ApiParts['log'], 'warn'>) {
    this.#queue = queue;
    this.#log = log;
  }

  /** What became of a job's progress when results were added to it. */
  add(tenant: string | undefined, before: Progress, after: Progress): void {
    const sum = this.#byTenant.get(tenant ?? '') ?? { documents: 0, failed: 0, tokens: 0 };
    this.#byTenant.set(tenant ?? '', {
      documents: sum.documents + after.done - before.done,
      failed: sum.failed + after.failed - before.failed,
      tokens: sum.tokens + after.tokens - before.tokens,
    });
    this.#timer ??= setTimeout(() => void this.#write(), KEPT_MS).unref();
  }

  /** Resolves once everything was written, or could not be. */
  async close(): Promise<void> {
    await this.#write();
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const byTenant = this.#byTenant;
    this.#byTenant = new Map();
    if (byTenant.size === 0) return this.#writing;
    this.#writing = this.#writing
      .then(() => this.#queue.countSettled(byTenant))
      .catch((error: unknown) => this.#log.warn({ err: error }, 'rates of a second were lost'));
    return this.#writing;
  }
}

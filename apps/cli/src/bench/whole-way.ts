/**
 * E1: the full pipeline for a user's documents, from the upload to the last stored vector, with every process of
 * `embedmill up` on this machine; and the latency of queries meanwhile.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createClient, type Client } from '@embedmill/client';
import type { Context } from '../command-host.ts';
import { CommandError } from '../exit.ts';
import { stackDisplay } from '../stack/stack-display.ts';
import { endOwnStack, startOwnStack } from '../stack/own-stack.ts';
import type { Stack } from '../stack/stack.ts';
import { documentSource, submitDocuments } from '../documents/document-source.ts';
import { childrenOf, cpuSecondsOf, peakRssOf, rssOf } from './process-usage.ts';

/** The figures of one job, from start to end. */
export interface JobRun {
  documents: number;
  tokens: number;
  /** Padded tokens relative to real tokens. */
  padding: number;
  /** CPU time of each process, in microseconds per document. */
  cpu: Processes;
  /** From the first byte sent until the last vector was acknowledged and counted. */
  seconds: number;
}

/** A figure for each process, and for all engines together; null if the system does not report it. */
type Processes = Record<'worker' | 'engines' | 'api' | 'store' | 'redis', number | null>;

/** Memory in MB at one moment of a job. */
export type MemorySample = Processes & {
  /** Seconds since the job was submitted. */
  seconds: number;
  /** Documents settled so far. */
  documents: number;
};

export interface Sampling {
  everyMs: number;
  onSample: (sample: MemorySample) => void;
}

/**
 * In milliseconds: latency of queries, each sent a moment after the answer to the one before; and the mean time of a
 * bulk batch.
 */
export const latencySchema = z.object({
  queries: z.number(),
  p50: z.number(),
  p95: z.number(),
  batchMs: z.number(),
});
export type Latency = z.infer<typeof latencySchema>;

const PAUSE_BETWEEN_QUERIES_MS = 20;

export class WholeWay {
  readonly #context: Context;
  readonly #stack: Stack;
  readonly #client: Client;
  readonly #model: string;

  private constructor(context: Context, stack: Stack, model: string) {
    this.#context = context;
    this.#stack = stack;
    this.#client = createClient({
      url: stack.url,
      apiKey: context.config.key,
      signal: context.interruption.signal,
    });
    this.#model = model;
  }

  /** Starts everything in a folder of its own, and waits until the model's engines are warm. */
  static async start(context: Context, model: string, folder: string): Promise<WholeWay> {
    const { terminal } = context;
    const stack = await startOwnStack(context, {
      folder,
      tell: (event) => {
        if (event.kind === 'line' && event.warning) stackDisplay(terminal, false)(event);
      },
      environment: { EMBEDMILL_WORKER_MODELS: model },
    });
    const whole = new WholeWay(context, stack, model);
    try {
      await whole.#client.embed(['a first text'], { model });
      return whole;
    } catch (error) {
      await whole.close();
      throw error;
    }
  }

  /** Embeds the file's documents into a new collection, and deletes it afterwards. */
  async run(file: string, sampling?: Sampling): Promise<JobRun> {
    const collection = await this.#createCollection();
    try {
      const source = await documentSource(file);
      const before = await this.#metric('embedmill_padding_tokens_total');
      const cpuBefore = this.#cpuSeconds();
      const start = Date.now();
      const submitted = await submitDocuments(this.#client, collection, source);
      const job = await this.#finished(submitted.id, start, sampling);
      const end = Date.parse(job.finishedAt ?? '');
      const padded = job.tokens + (await this.#metric('embedmill_padding_tokens_total')) - before;
      const padding = padded / job.tokens;
      const cpu = costs(cpuBefore, this.#cpuSeconds(), job.stored);
      return { documents: job.stored, tokens: job.tokens, padding, cpu, seconds: (end - start) / 1000 };
    } finally {
      await this.#client.collections.delete(collection);
    }
  }

  /** Requests the vector of one short text again and again while a bulk job runs. */
  async measureLatency(file: string): Promise<Latency> {
    const collection = await this.#createCollection();
    try {
      const submitted = await submitDocuments(this.#client, collection, await documentSource(file));
      let running = true;
      const finished = this.#finished(submitted.id).finally(() => (running = false));
      const before = await this.#batchSeconds();
      const times: number[] = [];
      while (running) {
        const start = performance.now();
        await this.#client.embed([`what is the meaning of number ${times.length}?`], { model: this.#model });
        times.push(performance.now() - start);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_BETWEEN_QUERIES_MS));
      }
      await finished;
      const after = await this.#batchSeconds();
      const sorted = times.toSorted((a, b) => a - b);
      const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
      const batchMs = (1000 * (after.sum - before.sum)) / Math.max(1, after.count - before.count);
      return { queries: times.length, p50: at(0.5), p95: at(0.95), batchMs };
    } finally {
      await this.#client.collections.delete(collection);
    }
  }

  /** Peak memory of the worker with its engines, in bytes; undefined if the system does not report it. */
  get workerRssBytes(): number | undefined {
    const { worker } = this.#stack.processes;
    return worker === null ? undefined : peakRssOf(worker);
  }

  async close(): Promise<void> {
    await endOwnStack(this.#context, this.#stack);
  }

  async #createCollection(): Promise<string> {
    const name = `bench-${randomUUID().slice(0, 8)}`;
    // Each document is one point, as in the other rows.
    await this.#client.collections.create(name, { model: this.#model, chunking: { mode: 'document' } });
    return name;
  }

  async #finished(id: string, start = Date.now(), sampling?: Sampling) {
    let sampled = 0;
    for await (const job of this.#client.watch(id)) {
      if (sampling !== undefined && (Date.now() - sampled > sampling.everyMs || job.finishedAt !== null)) {
        sampled = Date.now();
        sampling.onSample({ seconds: (sampled - start) / 1000, documents: job.done, ...this.#memory() });
      }
      if (job.state === 'completed' && job.stored === job.documents) return job;
      if (job.finishedAt !== null) {
        throw new CommandError(
          `the job ${job.state} with ${job.stored} of ${job.documents} documents stored: ${job.error?.message ?? 'see its failures'}`,
        );
      }
    }
    throw new CommandError('the job disappeared');
  }

  #memory(): Omit<MemorySample, 'seconds' | 'documents'> {
    return this.#ofProcesses((pid) => {
      const bytes = rssOf(pid);
      return bytes === undefined ? undefined : Math.round(bytes / 2 ** 20);
    });
  }

  #cpuSeconds(): Processes {
    return this.#ofProcesses(cpuSecondsOf);
  }

  /**
   * A figure for each process, summed over the engines; null if the process is on another machine or the figure is not
   * reported.
   */
  #ofProcesses(figure: (pid: number) => number | undefined): Processes {
    const { worker, api, store, redis } = this.#stack.processes;
    const sum = (pids: (number | null)[]): number | null => {
      const known = pids.flatMap((pid) => (pid === null ? [] : (figure(pid) ?? [])));
      return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
    };
    const engines = worker === null ? [] : childrenOf(worker);
    return {
      worker: sum([worker]),
      engines: sum(engines),
      api: sum([api]),
      store: sum([store]),
      redis: sum([redis]),
    };
  }

  async #batchSeconds(): Promise<{ sum: number; count: number }> {
    return {
      sum: await this.#metric('embedmill_batch_duration_seconds_sum'),
      count: await this.#metric('embedmill_batch_duration_seconds_count'),
    };
  }

  /** The bulk lane's value of one of the worker's metrics. */
  async #metric(name: string): Promise<number> {
    const { worker } = this.#stack.metrics;
    if (worker === null) throw new CommandError('the worker did not report the address of its metrics');
    const text = await createClient({ url: worker.replace(/\/metrics$/, '') }).metrics();
    const line = new RegExp(`^${name}\\{[^}]*lane="bulk"[^}]*\\} (\\S+)$`, 'm').exec(text);
    return Number(line?.[1] ?? 0);
  }
}

/** The difference of two sums of seconds, in microseconds per document. */
function costs(before: Processes, after: Processes, documents: number): Processes {
  const cost = (part: keyof Processes): number | null => {
    const [from, to] = [before[part], after[part]];
    return from === null || to === null ? null : Math.round(((to - from) * 1e6) / documents);
  };
  return {
    worker: cost('worker'),
    engines: cost('engines'),
    api: cost('api'),
    store: cost('store'),
    redis: cost('redis'),
  };
}

/**
 * The parts as a cluster runs them: a Redis, a store and an API, and workers and more APIs that come and go one by one. For
 * the bench and the tests of many of them. Nothing is started again here; what is left is stopped by `stop`.
 */
import { readConfig } from '../config.ts';
import { CommandError } from '../exit.ts';
import { apiPart, stackParts, workerPart, type StackEvent, type StackOptions } from './stack-parts.ts';
import type { Part, RunningPart } from './supervisor.ts';

export interface PartsApartOptions {
  /** The data folder; it stays when all has stopped. */
  folder: string;
  redisPackageFolder: string;
  /** What the processes inherit. */
  environment: NodeJS.ProcessEnv;
  tell: (event: StackEvent) => void;
  signal: AbortSignal;
}

export class PartsApart {
  readonly #options: StackOptions;
  readonly #signal: AbortSignal;
  /** In the order of their start. */
  readonly #running: { part: Part; process: RunningPart }[] = [];

  private constructor(options: StackOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Everything but workers, on ports of its own. Rejects with a `CommandError`; nothing is left running then. */
  static async start({ folder, signal, environment, ...options }: PartsApartOptions): Promise<PartsApart> {
    const config = {
      ...readConfig(environment),
      dataDir: folder,
      apiPort: 0,
      workerPort: 0,
      storeSocket: undefined,
    };
    const apart = new PartsApart({ ...options, config, environment, fresh: false }, signal);
    try {
      for (const part of stackParts(apart.#options, { api: 0, worker: 0 })) {
        if (part.name !== 'worker') await apart.#start(part);
      }
      return apart;
    } catch (error) {
      await apart.stop();
      throw error;
    }
  }

  /** Where the API serves. */
  get url(): string {
    const url = this.#running.find(({ part }) => part.name === 'api')?.process.url;
    if (url === undefined) throw new CommandError('the API did not report its address');
    return url;
  }

  /** One more worker, with variables of its own. It is there, but may still have a model to load. */
  startWorker(environment: NodeJS.ProcessEnv = {}): Promise<RunningPart> {
    const options = { ...this.#options, environment: { ...this.#options.environment, ...environment } };
    return this.#start(workerPart(options, 0));
  }

  /** One more API, beside the one at `url`. */
  startApi(): Promise<RunningPart> {
    return this.#start(apiPart(this.#options, 0));
  }

  /** Workers first, then what they need. */
  async stop(): Promise<void> {
    const running = this.#running.splice(0);
    const isWorker = ({ part }: { part: Part }): boolean => part.name === 'worker';
    const end = ({ part, process }: (typeof running)[number]) => process.stop(part.graceMs);
    await Promise.all(running.filter(isWorker).map(end));
    for (const one of running.filter((any) => !isWorker(any)).reverse()) await end(one);
  }

  async #start(part: Part): Promise<RunningPart> {
    const process = await part.start(this.#signal);
    this.#running.push({ part, process });
    return process;
  }
}

/**
 * The parent's side of the worker's bench process: a child that handles one request at a time and ends with its parent. The
 * requests are in apps/worker/src/bench.ts.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { ENTRIES } from '../entries.ts';
import { CommandError } from '../exit.ts';

const answerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('note'), text: z.string() }),
  z.object({ kind: z.literal('done'), result: z.unknown() }),
  z.object({ kind: z.literal('failed'), message: z.string() }),
]);

export class BenchProcess {
  readonly #child: ChildProcess;
  readonly #note: (text: string) => void;
  readonly #signal: AbortSignal;

  constructor(environment: NodeJS.ProcessEnv, note: (text: string) => void, signal: AbortSignal) {
    this.#note = note;
    this.#signal = signal;
    this.#child = fork(ENTRIES.bench, [], {
      env: environment,
      execArgv: [],
      stdio: ['ignore', 2, 2, 'ipc'],
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Rejects with a `CommandError` if it fails, if the process dies, or if the command is interrupted. */
  async ask<Result>(question: object, schema: z.ZodType<Result>): Promise<Result> {
    const done = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const receive = (message: unknown): void => {
      const answer = answerSchema.parse(message);
      if (answer.kind === 'note') this.#note(answer.text);
      else if (answer.kind === 'done') resolve(answer.result);
      else reject(new CommandError(answer.message));
    };
    const gone = (): void => reject(new CommandError('the bench process died'));
    const interrupted = (): void => reject(new CommandError('interrupted'));
    this.#child.on('message', receive);
    this.#child.once('exit', gone);
    this.#signal.addEventListener('abort', interrupted, { signal: done.signal });
    try {
      if (this.#child.exitCode !== null || this.#signal.aborted) gone();
      else this.#child.send(question);
      return schema.parse(await promise);
    } finally {
      done.abort();
      this.#child.off('message', receive);
      this.#child.off('exit', gone);
    }
  }

  /** Its own children end when it does. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    await exited;
  }
}

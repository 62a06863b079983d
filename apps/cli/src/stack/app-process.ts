/**
 * One of our own apps as a child process of `up`.
 *
 * The child says `{ kind: 'ready', url? }` over its IPC channel, ends cleanly on SIGTERM, and ends by itself when
 * the channel closes, that is when this process was killed. It leads a process group of its own, so that a
 * Ctrl-C in the terminal reaches `up` alone, which then stops its children in order.
 */
import { fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { endProcess, whenEnded } from './ended.ts';
import { CommandError } from '../exit.ts';
import type { LogFile } from './log-file.ts';
import { readLogLine } from './log-line.ts';
import type { RunningPart } from './supervisor.ts';

export interface AppOptions {
  name: string;
  /** The file that Node runs. */
  entry: string;
  environment: NodeJS.ProcessEnv;
  /** Closed once the app has written its last. */
  log: LogFile;
  /** Called with each line it logs. */
  onLine: (line: { text: string; warning: boolean }) => void;
  /** How long it may take to be ready. */
  readyMs: number;
}

const readySchema = z.object({ kind: z.literal('ready'), url: z.string().optional() });

/** How many of its last lines are shown when it cannot be started. */
const LINES_SHOWN = 12;

/** Resolves when the app is ready; rejects with a `CommandError` that shows what it last wrote. */
export async function startApp(options: AppOptions, signal: AbortSignal): Promise<RunningPart> {
  const { name, entry, environment, log, onLine, readyMs } = options;
  const child = fork(entry, [], {
    env: environment,
    // V8 would let garbage grow to 134 MB before it looks at it. Less than this, and short documents take a tenth more CPU.
    execArgv: ['--max-semi-space-size=16'],
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const ended = whenEnded(child);
  const lastLines: { text: string; warning: boolean }[] = [];
  const drained = (['stdout', 'stderr'] as const).map((stream) =>
    eachLine(child[stream], (line) => {
      log.writeLine(line);
      const read = readLogLine(line, stream);
      lastLines.push(read);
      if (lastLines.length > LINES_SHOWN) lastLines.shift();
      onLine(read);
    }),
  );

  void Promise.all(drained).then(() => log.close());
  /** What it wrote before it ended; a child of its own may hold the pipes a little longer. */
  const lastWords = (): Promise<unknown> => Promise.race([Promise.all(drained), sleep(1000)]);

  const late = AbortSignal.timeout(readyMs);
  const outcome = await new Promise<{ url: string | undefined } | { problem: string }>((resolve) => {
    child.on('message', (message) => {
      const ready = readySchema.safeParse(message);
      if (ready.success) resolve({ url: ready.data.url });
    });
    child.on('error', () => {
      // It could not be started (`ended` tells), or a signal could not be sent to one that has just ended.
    });
    void ended.then((how) => resolve({ problem: `exited during startup (${how})` }));
    late.addEventListener('abort', () => resolve({ problem: `was not ready within ${readyMs / 1000} s` }));
    signal.addEventListener('abort', () => resolve({ problem: 'was stopped during startup' }));
    if (signal.aborted) resolve({ problem: 'was stopped during startup' });
  });

  if ('problem' in outcome) {
    await endProcess(child, ended, signal.aborted ? 5000 : 0);
    await lastWords();
    const warnings = lastLines.filter(({ warning }) => warning);
    const shown = (warnings.length > 0 ? warnings : lastLines).map(({ text }) => `\n  ${text}`).join('');
    throw new CommandError(`the ${name} ${outcome.problem}; its log is ${log.path}${shown}`);
  }
  if (child.pid === undefined) throw new CommandError(`the ${name} has no process`);
  const stop = async (graceMs: number): Promise<void> => {
    await endProcess(child, ended, graceMs);
    await lastWords();
  };
  return { pid: child.pid, url: outcome.url, ended, stop };
}

async function eachLine(stream: Readable | null, take: (line: string) => void): Promise<void> {
  if (stream === null) return;
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) take(line);
}

import { setPriority } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { asEmbedmillError } from '@embedmill/jobs';
import type { FileToParse } from './parsed-document.ts';
import type { FromProcess, ParsingLimits, ToProcess } from './process-messages.ts';

/**
 * The process in which files are parsed (parser.ts starts it). Its main thread is only a guard: it gives one file at a
 * time to a worker thread, and reports when the thread exceeds its CPU or memory limit, or dies. The process ends with
 * its parent. So a file that makes its parser hang or crash affects nothing else. A file is in progress from `began` to
 * its only answer; whatever a thread reports at other times is not attributed to a file.
 */
const LOOK_MS = 50;
/** The `nice` value: lower priority than work that someone is waiting for. */
const LOW_PRIORITY = 10;
const MIB = 1024 * 1024;
const MICROSECONDS = 1e6;

/** Runs the process or its thread; called by the module that is started as either. */
export async function serveParsing(entry: string): Promise<void> {
  if (isMainThread) guard(entry);
  else await work();
}

function guard(entry: string): void {
  setPriority(LOW_PRIORITY);
  let thread: Worker | undefined;
  let begun: { usage: NodeJS.CpuUsage; limits: ParsingLimits } | undefined;
  const say = (message: FromProcess): void => void process.send?.(message);
  const answer = (message: FromProcess): void => {
    if (begun === undefined) return;
    begun = undefined;
    say(message);
  };
  const refuse = (message: string): void =>
    answer({ kind: 'failed', code: 'parsing_limit', message, isLast: true });

  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ file, limits }: ToProcess) => {
    begun = { usage: process.cpuUsage(), limits };
    say({ kind: 'began' });
    thread ??= start(limits);
    thread.postMessage(file);
  });
  setInterval(() => {
    if (begun === undefined) return;
    const { usage, limits } = begun;
    const { user, system } = process.cpuUsage(usage);
    if (user + system > limits.seconds * MICROSECONDS)
      refuse(`parsing the file takes more than ${limits.seconds} s`);
    else if (process.memoryUsage.rss() > limits.memoryMB * MIB)
      refuse(`parsing the file takes more than ${limits.memoryMB} MB of memory`);
  }, LOOK_MS);

  function start({ memoryMB }: ParsingLimits): Worker {
    const worker = new Worker(entry, {
      resourceLimits: { maxOldGenerationSizeMb: memoryMB / 2, stackSizeMb: 4 },
    });
    worker.on('message', answer);
    worker.on('error', (error: Error & { code?: string }) => {
      thread = undefined;
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY')
        refuse(`parsing the file takes more than ${memoryMB / 2} MB of memory`);
      else {
        const message = `the file is damaged: ${error.message}`;
        answer({ kind: 'failed', code: 'document_unreadable', message, isLast: true });
      }
    });
    return worker;
  }
}

async function work(): Promise<void> {
  // Libraries leave promises behind that reject after the awaited one. They say nothing new about the file, and would
  // end the thread during the next one.
  process.on('unhandledRejection', () => undefined);
  const { parseFile } = await import('./parse.ts');
  parentPort?.on('message', (file: FileToParse) => {
    const say = (message: FromProcess): void => parentPort?.postMessage(message);
    parseFile(file).then(
      (parsed) => say({ kind: 'parsed', parsed }),
      (thrown: unknown) => {
        const { code, message } = asEmbedmillError(thrown);
        say({ kind: 'failed', code: code as 'internal', message, isLast: false });
      },
    );
  });
}

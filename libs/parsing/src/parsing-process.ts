import { setPriority } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { asEmbedmillError } from '@embedmill/jobs';
import type { FileToParse } from './parsed-document.ts';
import type { FromProcess, ParsingLimits, ToProcess } from './process-messages.ts';

/**
 * The process in which files are parsed (parser.ts starts it). Its main thread only guards: it gives one file at a time to
 * a thread, and ends the whole process once that takes more time or memory than it may, or nobody is there any more who
 * asked. So a file that keeps its parser busy, or has it crash, ends nothing else.
 */
const LOOK_MS = 50;
/** Of `nice`: whoever waits for an answer goes first. */
const LOW_PRIORITY = 10;
const MIB = 1024 * 1024;

/** Runs the process, or its thread; to be called by a module that is started as such. */
export async function serveParsing(entry: string): Promise<void> {
  if (isMainThread) guard(entry);
  else await work();
}

function guard(entry: string): void {
  setPriority(LOW_PRIORITY);
  let thread: Worker | undefined;
  let began: { at: number; limits: ParsingLimits } | undefined;
  const answer = (message: FromProcess, isLast = false): void => {
    began = undefined;
    process.send?.(message, () => isLast && process.exit(0));
  };
  const refuse = (message: string): void => answer({ ok: false, code: 'parsing_limit', message }, true);

  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ file, limits }: ToProcess) => {
    began = { at: performance.now(), limits };
    thread ??= start(limits);
    thread.postMessage(file);
  });
  setInterval(() => {
    if (began === undefined) return;
    const { at, limits } = began;
    if (performance.now() - at > limits.seconds * 1000)
      refuse(`it takes more than ${limits.seconds} s to read the file`);
    else if (process.memoryUsage.rss() > limits.memoryMB * MIB)
      refuse(`it takes more than ${limits.memoryMB} MB of memory to read the file`);
  }, LOOK_MS);

  function start({ memoryMB }: ParsingLimits): Worker {
    const worker = new Worker(entry, {
      resourceLimits: { maxOldGenerationSizeMb: memoryMB / 2, stackSizeMb: 4 },
    });
    worker.on('message', (message: FromProcess) => answer(message));
    worker.on('error', (error: Error & { code?: string }) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY')
        refuse(`it takes more than ${memoryMB / 2} MB of memory to read the file`);
      else
        answer(
          { ok: false, code: 'document_unreadable', message: `the file is damaged: ${error.message}` },
          true,
        );
    });
    return worker;
  }
}

async function work(): Promise<void> {
  const { parseFile } = await import('./parse.ts');
  parentPort?.on('message', (file: FileToParse) => {
    const say = (message: FromProcess): void => parentPort?.postMessage(message);
    parseFile(file).then(
      (parsed) => say({ ok: true, parsed }),
      (thrown: unknown) => {
        const { code, message } = asEmbedmillError(thrown);
        say({ ok: false, code: code as 'internal', message });
      },
    );
  });
}

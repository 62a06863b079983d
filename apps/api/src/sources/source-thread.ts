import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { asEmbedmillError } from '@embedmill/jobs';
import { Parser } from '@embedmill/parsing';
import { S3Objects, Spool } from '@embedmill/sources';
import { SOURCE_TASKS, type InputOf, type SourceTask } from './source-tasks.ts';
import type { FromThread, ThreadData, ToThread } from './source-threads.ts';

/**
 * The thread that reads sources, one task at a time; source-threads.ts starts it, gives it tasks and terminates it. Its
 * event loop sends heartbeats, so a thread that is stuck falls silent.
 */
const ALIVE_MS = 1000;
/** A `nice` value: requests that wait for a response take precedence. */
const LOW_PRIORITY = 10;

const port = parentPort;
if (port === null) throw new Error('this is a thread, started by source-threads.ts');
const { spoolPlace, pathStyle } = workerData as ThreadData;

// Linux has a priority per thread; elsewhere this would apply to the whole process.
if (process.platform === 'linux') setPriority(0, LOW_PRIORITY);
const say = (message: FromThread): void => port.postMessage(message);
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const parser = new Parser(new URL(`./parsing.${extension}`, import.meta.url));
let spool: Promise<Spool> | undefined;
let stop: AbortController | undefined;

port.on('message', (message: ToThread) => {
  if (message.kind === 'abort') stop?.abort(new Error('the task is not wanted any more'));
  else void run(message.task, message.input);
});

async function run<Name extends SourceTask>(task: Name, input: InputOf<Name>): Promise<void> {
  const abort = new AbortController();
  stop = abort;
  const alive = setInterval(() => say({ kind: 'alive' }), ALIVE_MS);
  try {
    spool ??= Spool.open(spoolPlace, new S3Objects({ pathStyle }));
    const value = await SOURCE_TASKS[task](await spool, input, abort.signal, (file) => parser.parse(file));
    say({ kind: 'done', value });
  } catch (thrown) {
    const { code, message, retryAfter } = asEmbedmillError(thrown);
    if (code === 'spool_unavailable') spool = undefined;
    say({ kind: 'failed', code, message, retryAfter });
  } finally {
    clearInterval(alive);
    parser.close();
  }
}

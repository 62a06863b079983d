import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import {
  childEnvironment,
  EmbedmillError,
  type Columns,
  type ErrorCode,
  type Profile,
} from '@embedmill/jobs';
import type { RangeReader } from './parquet.ts';

/**
 * Parquet as lines of NDJSON, decoded in a thread of its own: decoding blocks, and a file that is broken, or made to
 * harm, can keep the decoder busy for ever or ask it for any amount of memory. The thread has a heap of its own and
 * is ended when it says nothing for too long. It asks for bytes and gives lines, one message at a time each way.
 */
export interface ParquetTask {
  size: number;
  columns: Columns | undefined;
  filterable: Profile['filterable'];
}

export type FromThread =
  | { kind: 'read'; start: number; end: number }
  | { kind: 'lines'; bytes: Uint8Array<ArrayBuffer> }
  | { kind: 'end' }
  | { kind: 'failed'; code: ErrorCode; message: string };
/** The bytes asked for; none to go on after lines. */
export interface ToThread {
  bytes: Uint8Array<ArrayBuffer>;
}

export interface ThreadLimits {
  heapMB: number;
  silenceMs: number;
}

/** Room for the largest row group and its documents; time for decoding it on a slow machine. */
const LIMITS: ThreadLimits = { heapMB: 1536, silenceMs: 60_000 };

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const THREAD = new URL(`./parquet-thread.${extension}`, import.meta.url);
const NOTHING = new Uint8Array();

/** Errors: `source_unreadable`, that says where, and what `read` throws. */
export async function* parquetLines(
  { size, read }: RangeReader,
  { columns, filterable }: Omit<ParquetTask, 'size'>,
  { heapMB, silenceMs }: ThreadLimits = LIMITS,
): AsyncGenerator<Uint8Array> {
  const workerData: ParquetTask = { size, columns, filterable };
  const thread = new Worker(THREAD, {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMB },
    env: childEnvironment(process.env),
  });
  const ended = once(thread, 'exit').then((): never => {
    throw new EmbedmillError('source_unreadable', 'the Parquet decoder ended; the file is broken');
  });
  ended.catch(() => undefined);
  try {
    for (;;) {
      const message = await Promise.race([nextOf(thread, silenceMs), ended]);
      switch (message.kind) {
        case 'read': {
          const bytes = await read(message.start, message.end);
          thread.postMessage({ bytes } satisfies ToThread, [bytes.buffer]);
          break;
        }
        case 'lines':
          yield message.bytes;
          thread.postMessage({ bytes: NOTHING } satisfies ToThread);
          break;
        case 'end':
          return;
        case 'failed':
          throw new EmbedmillError(message.code, message.message);
      }
    }
  } finally {
    await thread.terminate();
  }
}

/** What the thread says next. Errors: `source_unreadable` when it dies, or says nothing. */
async function nextOf(thread: Worker, silenceMs: number): Promise<FromThread> {
  try {
    // Rejects when the thread fails, as when its memory is used up.
    const [message] = (await once(thread, 'message', { signal: AbortSignal.timeout(silenceMs) })) as [
      FromThread,
    ];
    return message;
  } catch (error) {
    const isSilent = error instanceof Error && error.name === 'AbortError';
    const why = isSilent ? `it kept the decoder busy for ${silenceMs / 1000} s` : String(error);
    throw new EmbedmillError('source_unreadable', `the Parquet cannot be decoded: ${why}`, { cause: error });
  }
}

import { parentPort, workerData } from 'node:worker_threads';
import { asEmbedmillError } from '@embedmill/jobs';
import { documentLines } from './document-lines.ts';
import { openParquet } from './parquet.ts';
import type { FromThread, ParquetTask, ToThread } from './parquet-lines.ts';
import { documentsOf, FIELDS } from './table.ts';

/** The thread in which Parquet is decoded; parquet-lines.ts starts it, feeds it with bytes, and takes its lines. */
const port = parentPort;
if (port === null) throw new Error('this is a thread, started by parquet-lines.ts');
const { size, columns, filterable } = workerData as ParquetTask;

const say = (message: FromThread, bytes?: Uint8Array<ArrayBuffer>): void =>
  port.postMessage(message, bytes === undefined ? [] : [bytes.buffer]);
let answered: PromiseWithResolvers<Uint8Array<ArrayBuffer>> | undefined;
port.on('message', (message: ToThread) => answered?.resolve(message.bytes));
const ask = (message: FromThread, bytes?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> => {
  answered = Promise.withResolvers();
  say(message, bytes);
  return answered.promise;
};

async function decode(): Promise<void> {
  const { metadata = 'rest', ...named } = columns ?? {};
  const wanted = new Set<string | undefined>([...FIELDS, ...Object.values(named), ...metadata]);
  const read = (start: number, end: number) => ask({ kind: 'read', start, end });
  const table = await openParquet({ size, read }, (there) =>
    metadata === 'rest' ? there : there.filter((name) => wanted.has(name)),
  );
  const documentOf = documentsOf(table.columns, { columns }, { filterable });
  for await (const piece of documentLines(table, documentOf)) {
    const bytes = Uint8Array.from(piece);
    await ask({ kind: 'lines', bytes }, bytes);
  }
}

try {
  await decode();
  say({ kind: 'end' });
} catch (thrown) {
  const { code, message } = asEmbedmillError(thrown, 'source_unreadable');
  say({ kind: 'failed', code, message });
}
port.close();

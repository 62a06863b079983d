import type { QueueOptions } from '@embedmill/queue';
import { Spool } from '@embedmill/sources';
import { openQdrantStore, type VectorStore } from '@embedmill/vector-store';
import { startDispatcher } from './dispatcher.ts';
import type { InputOf, OutputOf, SourceTask } from '../sources/source-tasks.ts';
import { SourceThreads } from '../sources/source-threads.ts';

/**
 * A dispatcher for a test: a certain action on sources, or a deletion, kills its whole process, or the test kills it. For
 * the manifest, `manifest-<n>` is the moment before a section is scanned, and `manifest-<n>-after` the one after it is
 * written. With `losesSource`, a job's source disappears once its keys are requested.
 */
const [address = '', folder = '', fatal = '', qdrantUrl, loses] = process.argv.slice(2);

class DeadlyThreads extends SourceThreads {
  override async run<Name extends SourceTask>(
    task: Name,
    input: InputOf<Name>,
    options?: { share?: string | undefined; signal?: AbortSignal },
  ): Promise<OutputOf<Name>> {
    if (task === fatal) process.kill(process.pid, 'SIGKILL');
    if (task === 'shardKeys' && loses === 'losesSource')
      await spool.removeSource((input as InputOf<'shardKeys'>).source);
    const section = task === 'manifest' ? (input as InputOf<'manifest'>).section?.number : undefined;
    if (fatal === `manifest-${section}`) process.kill(process.pid, 'SIGKILL');
    const output = await super.run(task, input, options);
    if (fatal === `manifest-${section}-after`) process.kill(process.pid, 'SIGKILL');
    return output;
  }
}

const spool = await Spool.open(folder);
const store: Partial<VectorStore> =
  qdrantUrl === undefined
    ? { takeBack: async () => undefined }
    : await openQdrantStore({ url: qdrantUrl, bulkPoints: 1000 });
const remove = store.deleteDocuments?.bind(store);
if (fatal === 'deleteDocuments' && remove !== undefined)
  store.deleteDocuments = async (...asked) => {
    const overtaken = await remove(...asked);
    process.kill(process.pid, 'SIGKILL');
    return overtaken;
  };
await startDispatcher({
  ...(JSON.parse(address) as QueueOptions),
  jobs: 10,
  scans: 4,
  mostShards: 3,
  maxReports: 100,
  weightOf: () => 1,
  pollMs: 20,
  lockMs: 400,
  maxSourceBytes: 1e9,
  openUrl: () => Promise.reject(new Error('no URLs here')),
  spool,
  threads: new DeadlyThreads(spool),
  store: store as VectorStore,
  models: () => Promise.resolve([]),
  log: { info: () => {}, warn: () => {} },
});
process.on('disconnect', () => process.exit(0));

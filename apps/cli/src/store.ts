/**
 * The process that owns the embedded vector store, and serves it to the others on a unix socket. Started by `up`
 * (stack.ts), which it tells when it is ready. Ends on SIGTERM, and when `up` is gone.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asEmbedmillError, sharedSettings } from '@embedmill/jobs';
import { createLog } from '@embedmill/logs';
import { openZvecStore, serveStore } from '@embedmill/vector-store';
import { readConfig } from './config.ts';

/** How long the store of an `up` that was killed may take to let go of the folder. */
const TAKEOVER_MS = 20_000;

let stopping = false;
const stopped = Promise.withResolvers<void>();
const stop = (): void => {
  stopping = true;
  stopped.resolve();
};
process.on('SIGTERM', stop);
process.on('disconnect', stop);

const log = createLog({ app: 'store', level: 'info' });
try {
  const { dataDir, storeSocket } = readConfig(process.env);
  const diskReserve = sharedSettings.EMBEDMILL_DISK_RESERVE_BYTES.parse(
    process.env['EMBEDMILL_DISK_RESERVE_BYTES'] || undefined,
  );
  log.level = sharedSettings.EMBEDMILL_LOG_LEVEL.parse(process.env['EMBEDMILL_LOG_LEVEL'] || undefined);
  const store = await retrying(() => openZvecStore(join(dataDir, 'vectors'), { diskReserve }));
  const host = await retrying(() => serveStore(store, storeSocket ?? join(dataDir, 'store.sock')));
  process.send?.({ kind: 'ready' });
  log.info({ store: store.description }, 'the store is ready');
  await stopped.promise;
  await host.close();
  await store.close();
  log.info('the store has stopped');
  process.exit(0);
} catch (error) {
  const { code, message } = asEmbedmillError(error);
  if (!stopping) log.fatal({ code }, message);
  process.exit(stopping ? 0 : 1);
}

/** Waits for a predecessor that is still ending; any other error stands after the same time. */
async function retrying<T>(open: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + TAKEOVER_MS; ; await sleep(200)) {
    try {
      return await open();
    } catch (error) {
      const { code } = asEmbedmillError(error);
      const mayPass = code === 'store_unavailable' || code === 'store_in_use';
      if (!mayPass || stopping || performance.now() > deadline) throw error;
    }
  }
}

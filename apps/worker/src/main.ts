import './heap.ts';
import { asEmbedmillError } from '@embedmill/jobs';
import { createLog } from '@embedmill/logs';
import { readConfig } from './config.ts';
import { startWorker, type RunningWorker } from './worker.ts';

/** The worker process: runs until SIGTERM, SIGINT, or the end of the process that forked it. */
const log = createLog({ app: 'worker', level: 'info' });

try {
  const config = readConfig(process.env);
  log.level = config.logLevel;
  // Asked to stop while it still starts, it has nothing to drain. The first process of a container ignores signals
  // that it has no handler for.
  let running: RunningWorker | undefined = undefined;
  let stopping: Promise<void> | undefined;
  const stop = (reason: string): void => {
    stopping ??= (async () => {
      log.info({ reason }, 'draining');
      await running?.close();
      process.exit(0);
    })();
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  // A child of `embedmill up` is stopped by its parent, in order; Ctrl-C reaches both.
  process.on('SIGINT', () => {
    if (!process.connected) stop('SIGINT');
  });
  process.on('disconnect', () => stop('the parent process has gone'));
  const worker = await startWorker(config, log);
  running = worker;
  void worker.stuck.then(() => {
    log.fatal(
      { seconds: config.watchdogMs / 1000 },
      'no progress despite pending work: exiting, to be restarted (EMBEDMILL_WORKER_WATCHDOG_SECONDS)',
    );
    process.exit(1);
  });
  process.send?.({ kind: 'ready', url: worker.url });
  log.info({ url: worker.url }, 'ready');
} catch (thrown) {
  const { code, message } = asEmbedmillError(thrown);
  log.fatal({ code }, message);
  process.exitCode = 1;
  process.disconnect?.();
}

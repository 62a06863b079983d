import { join } from 'node:path';
import type { Context } from '../command-host.ts';
import type { StackEvent } from './stack-parts.ts';
import { Stack } from './stack.ts';

export interface OwnStackOptions {
  folder: string;
  tell: (event: StackEvent) => void;
  /** More variables than the user's own. */
  environment?: Record<string, string>;
}

/**
 * Everything in a folder of its own, emptied first, on ports of its own: for a command that stops it again. The
 * unpacked Redis and downloaded models are where `up` has them. Interrupted twice, it is killed.
 */
export async function startOwnStack(
  { config, environment, interruption }: Context,
  { folder, tell, environment: more = {} }: OwnStackOptions,
): Promise<Stack> {
  const stack = await Stack.start(
    {
      config: { ...config, dataDir: folder, apiPort: 0, workerPort: 0, storeSocket: undefined },
      environment: {
        ...environment,
        EMBEDMILL_SPOOL_DIR: '',
        EMBEDMILL_SPOOL_URL: '',
        EMBEDMILL_MODEL_CACHE_DIR: environment['EMBEDMILL_MODEL_CACHE_DIR'] || join(config.dataDir, 'models'),
        ...more,
      },
      redisPackageFolder: join(config.dataDir, 'redis-package'),
      fresh: true,
      tell,
    },
    interruption.signal,
  );
  interruption.onForce(() => void stack.kill());
  return stack;
}

/** Interrupted, there is nothing worth finishing: the next one starts afresh. */
export async function endOwnStack({ interruption }: Context, stack: Stack): Promise<void> {
  await (interruption.by === undefined ? stack.stop() : stack.kill());
}

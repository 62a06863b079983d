import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { CommandHost } from '../command-host.ts';
import type { Config } from '../config.ts';
import { readUpFile } from '../stack/data-folder.ts';
import { EXIT } from '../exit.ts';
import { integerBetween } from '../options/option-values.ts';
import { stackDisplay } from '../stack/stack-display.ts';
import { Stack } from '../stack/stack.ts';
import { untilInterrupted } from '../stack/interruption.ts';

interface UpOptions {
  port?: number;
  sourceDir?: string;
  verbose?: boolean;
}

export function addUp(program: Command, host: CommandHost): void {
  program
    .command('up')
    .description('run everything on this machine until Ctrl-C, which drains and stops it')
    .option('--port <n>', 'the API’s port; 0 takes any free one (default: 7070)', integerBetween(0, 65_535))
    .option('--source-dir <folder>', 'let jobs read files below this folder')
    .option('--verbose', 'show what the processes log')
    .action(({ port, sourceDir, verbose }: UpOptions) =>
      host.run(async ({ config, environment, terminal, interruption }) => {
        const stack = await Stack.start(
          {
            config: {
              ...config,
              ...(port !== undefined && { apiPort: port }),
              ...(sourceDir !== undefined && { sourceDir: resolve(sourceDir) }),
            },
            environment,
            redisPackageFolder: join(config.dataDir, 'redis-package'),
            fresh: false,
            tell: stackDisplay(terminal, verbose === true),
          },
          interruption.signal,
        );
        if (terminal.json) terminal.printJson(readUpFile(config.dataDir));
        const metrics = [stack.metrics.api, stack.metrics.worker].filter((url) => url !== null).join('  ');
        terminal.print(`\n${terminal.style('bold', 'embedmill is ready')}`);
        terminal.print(`  API      ${terminal.style('cyan', stack.url)}  (described at ${stack.url}/docs)`);
        terminal.print(`  console  ${terminal.style('cyan', `${stack.url}/console/`)}`);
        terminal.print(`  metrics  ${metrics}`);
        const server = storeServer(config);
        if (server !== undefined) terminal.print(`  vectors  ${server}`);
        terminal.print(`  data     ${config.dataDir}  (logs are in logs/)`);
        terminal.print('Ctrl-C drains and stops it.\n');

        const failure = await Promise.race([stack.gaveUp, untilInterrupted(interruption.signal)]);
        interruption.onForce(() => {
          terminal.warn('stopping everything now');
          void stack.kill();
        });
        if (interruption.starter !== undefined) {
          terminal.note(`\n${interruption.starter}, which started this, has exited`);
        }
        terminal.note(
          failure === undefined
            ? '\nfinishing work in progress, then stopping; a second Ctrl-C stops immediately'
            : 'stopping, because a process cannot be restarted',
        );
        await stack.stop();
        if (failure !== undefined) throw failure;
        terminal.note('stopped');
        return interruption.by === 'SIGINT' ? EXIT.interrupted : EXIT.ok;
      }),
    );
}

/** The server that keeps the vectors, without what may be secret in its URL; undefined where they are in the data folder. */
function storeServer({ qdrantUrl, milvus }: Pick<Config, 'qdrantUrl' | 'milvus'>): string | undefined {
  if (qdrantUrl !== undefined) return `Qdrant, ${new URL(qdrantUrl).host}`;
  return milvus === undefined ? undefined : `Milvus, ${new URL(milvus.url).host}`;
}

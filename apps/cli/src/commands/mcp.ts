import type { Command } from 'commander';
import { createClient } from '@embedmill/client';
import type { CommandHost } from '../command-host.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { untilInterrupted } from '../stack/interruption.ts';
import { integerBetween } from '../options/option-values.ts';
import { ownVersion } from '../own-version.ts';
import { freePort } from '../stack/port.ts';

export function addMcp(program: Command, host: CommandHost): void {
  program
    .command('mcp')
    .description('let agents search, read documents and submit texts over the Model Context Protocol')
    .option(
      '--http <port>',
      'serve HTTP on 127.0.0.1, where each caller sends its own key; the default is standard input and output',
      integerBetween(0, 65_535),
    )
    .action((options: { http?: number }) =>
      host.run(async ({ serverUrl, config, interruption, terminal }): Promise<ExitCode> => {
        const { signal } = interruption;
        const url = serverUrl();
        // Only now: no other command needs it, and it takes a while to be loaded.
        const { mcpServer } = await import('../mcp/tools.ts');
        const serverOf = (apiKey: string | undefined) =>
          mcpServer(createClient({ url, apiKey, signal }), ownVersion());
        if (options.http === undefined) {
          const { serveMcpByStdio } = await import('../mcp/stdio.ts');
          await serveMcpByStdio(serverOf(config.key), signal);
          return interruption.by === undefined ? EXIT.ok : EXIT.interrupted;
        }
        const { serveMcpByHttp } = await import('../mcp/http.ts');
        const port = await freePort('127.0.0.1', options.http, '--http');
        const served = await serveMcpByHttp({
          port,
          serverOf,
          onError: (error) =>
            terminal.warn(error instanceof Error ? (error.stack ?? error.message) : String(error)),
        });
        if (terminal.json) terminal.printJson({ url: served.url });
        else terminal.print(`MCP for ${url} at ${served.url}; callers send their own key`);
        await untilInterrupted(signal);
        await served.close();
        return EXIT.interrupted;
      }),
    );
}

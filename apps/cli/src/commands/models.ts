import type { Command } from 'commander';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';
import { table } from '../text.ts';

export function addModels(program: Command, host: CommandHost): void {
  program
    .command('models')
    .description('the models that collections can use')
    .action(() =>
      host.run(async ({ client, terminal }) => {
        const models = await client().models();
        if (terminal.json) terminal.printJson({ models });
        const rows = models.map((model) => [
          ...[model.name, String(model.dims), String(model.maxTokens), model.pooling, model.license],
          model.bundled ? 'bundled' : 'downloaded when first used',
        ]);
        const head = ['NAME', 'DIMS', 'TOKENS', 'POOLING', 'LICENCE', ''];
        for (const line of table([head, ...rows], [1, 2])) terminal.print(line);
        return EXIT.ok;
      }),
    );
}

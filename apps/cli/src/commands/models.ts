import type { Command } from 'commander';
import type { Model } from '@embedmill/client';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';
import { table } from '../terminal/text.ts';
import { addModelsAdd } from './add-model.ts';

export function addModels(program: Command, host: CommandHost): void {
  const models = program
    .command('models')
    .description('list the models that collections can use')
    .action(() =>
      host.run(async ({ client, terminal }) => {
        const models = await client().models();
        if (terminal.json) terminal.printJson({ models });
        const rows = models.map((model) => [
          ...[
            model.name,
            model.kind,
            String(model.dims),
            String(model.maxTokens),
            gives(model),
            model.license,
          ],
          whereFrom(model),
        ]);
        const head = ['NAME', 'KIND', 'DIMS', 'TOKENS', 'ALSO', 'LICENCE', ''];
        for (const line of table([head, ...rows], [2, 3])) terminal.print(line);
        return EXIT.ok;
      }),
    );
  addModelsAdd(models, host);
}

/** What a dense model can do beside. */
function gives({ attentions, lexical, images }: Model): string {
  const also = [attentions ? 'bm42' : '', lexical ? 'sparse' : '', images ? 'images' : ''];
  return also.filter((one) => one !== '').join(', ');
}

export function whereFrom({
  bundled,
  local,
  available,
}: Pick<Model, 'bundled' | 'local' | 'available'>): string {
  if (bundled) return 'bundled';
  if (local) return available ? 'in the models folder' : 'in the models folder, incomplete';
  return available ? 'downloaded' : 'downloaded when first used';
}

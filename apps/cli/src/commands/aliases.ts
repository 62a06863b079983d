import type { Command } from 'commander';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';
import { table } from '../terminal/text.ts';

export function addAliases(program: Command, host: CommandHost): void {
  const aliases = program
    .command('aliases')
    .description('manage aliases: names for collections that can be moved in one step');

  aliases
    .command('list')
    .description('list all aliases')
    .action(() =>
      host.run(async ({ client, terminal }) => {
        const found = await client().aliases.list();
        if (terminal.json) terminal.printJson({ aliases: found });
        else if (found.length === 0) terminal.print('no aliases');
        else {
          const rows = found.map(({ name, collection }) => [name, collection]);
          for (const line of table([['ALIAS', 'COLLECTION'], ...rows], [])) terminal.print(line);
        }
        return EXIT.ok;
      }),
    );

  aliases
    .command('set')
    .description('point an alias at a collection; an existing alias is moved')
    .argument('<alias>')
    .argument('<collection>')
    .action((name: string, collection: string) =>
      host.run(async ({ client, terminal }) => {
        const alias = await client().aliases.move(name, collection);
        if (terminal.json) terminal.printJson(alias);
        terminal.print(`${alias.name} stands for ${alias.collection}`);
        return EXIT.ok;
      }),
    );

  aliases
    .command('remove')
    .description('remove an alias; its collection is kept')
    .argument('<alias>')
    .action((name: string) =>
      host.run(async ({ client, terminal }) => {
        await client().aliases.remove(name);
        if (terminal.json) terminal.printJson({ removed: name });
        terminal.print(`removed the alias ${name}`);
        return EXIT.ok;
      }),
    );
}

import type { Command } from 'commander';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';
import { cut, oneLine } from '../terminal/text.ts';

/** Terms of a sparse vector that are shown. */
const TERMS_SHOWN = 12;

export function addDocument(program: Command, host: CommandHost): void {
  program
    .command('document')
    .description('show one stored document, with its sparse vectors as words')
    .argument('<collection>')
    .argument('<id>')
    .option('--tenant <name>', 'the tenant that owns it')
    .action((collection: string, id: string, { tenant }: { tenant?: string }) =>
      host.run(async ({ client, terminal }) => {
        const document = await client().documents.get(collection, id, { tenant });
        if (terminal.json) terminal.printJson({ document });
        if (document.title !== null) terminal.print(terminal.style('bold', oneLine(document.title)));
        for (const { index, start, end, text, terms } of document.chunks) {
          terminal.print(
            `chunk ${index}, characters ${start} to ${end}: ${cut(oneLine(text), terminal.width)}`,
          );
          for (const [scheme, weighted] of Object.entries(terms)) {
            const shown = weighted
              .slice(0, TERMS_SHOWN)
              .map(({ term, weight }) => `${term} ${weight.toFixed(2)}`);
            const more = weighted.length - shown.length;
            terminal.print(
              `  ${scheme}: ${oneLine(shown.join(', '))}${more > 0 ? `, and ${more} more` : ''}`,
            );
          }
        }
        return EXIT.ok;
      }),
    );
}

import { InvalidArgumentError, type Command } from 'commander';
import type { NearDuplicates } from '@embedmill/client';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';
import { cut, grouped, oneLine } from '../terminal/text.ts';

export function addDuplicates(program: Command, host: CommandHost): void {
  program
    .command('duplicates')
    .description('find pairs of near-duplicate documents')
    .argument('<collection>')
    .option('--threshold <cosine>', 'the least similarity, 0 to 1', cosine, 0.95)
    .action((collection: string, { threshold }: { threshold: number }) =>
      host.run(async ({ client, terminal }) => {
        const pairs: NearDuplicates['pairs'] = [];
        let points = 0;
        for (let after: string | null | undefined; after !== null;) {
          const page: NearDuplicates = await client().nearDuplicates(collection, {
            threshold,
            ...(after !== undefined && { after }),
          });
          pairs.push(...page.pairs);
          points += page.points;
          after = page.next;
        }
        pairs.sort((a, b) => b.score - a.score);
        if (terminal.json) terminal.printJson({ points, pairs });
        for (const { score, first, second } of pairs) {
          terminal.print(
            `${terminal.style('cyan', score.toFixed(3))}  ${oneLine(first.id)}  ${oneLine(second.id)}`,
          );
          for (const { text } of [first, second])
            terminal.print(`       ${terminal.style('dim', cut(oneLine(text), terminal.width - 7))}`);
        }
        terminal.note(`${grouped(pairs.length)} pairs among ${grouped(points)} points`);
        return EXIT.ok;
      }),
    );
}

function cosine(given: string): number {
  const value = Number(given);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}

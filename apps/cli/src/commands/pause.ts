import type { Command } from 'commander';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';

/** `pause` and `resume`: of all bulk work, at the queue, so that it lasts over restarts. */
export function addPause(program: Command, host: CommandHost): void {
  for (const [name, description, effect] of [
    [
      'pause',
      'pause all bulk work until "resume"; searches keep running',
      'paused; "embedmill resume" resumes it',
    ],
    ['resume', 'resume paused work', 'resumed'],
  ] as const) {
    program
      .command(name)
      .description(description)
      .action(() =>
        host.run(async ({ client, terminal }) => {
          const answer = await client().queue[name]();
          if (terminal.json) terminal.printJson(answer);
          terminal.print(`the queue is ${effect}`);
          return EXIT.ok;
        }),
      );
  }
}

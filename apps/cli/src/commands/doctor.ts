import type { Command } from 'commander';
import type { Check } from '../doctor/checks.ts';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';

export function addDoctor(program: Command, host: CommandHost): void {
  program
    .command('doctor')
    .description('check that everything works on this machine')
    .action(() =>
      host.run(async (context) => {
        const { terminal } = context;
        // Native code is loaded by this command only.
        const { runChecks } = await import('../doctor/checks.ts');
        const checks: Check[] = [];
        for await (const check of runChecks(context)) {
          checks.push(check);
          const mark = check.ok ? terminal.style('green', 'ok    ') : terminal.style('red', 'FAILED');
          terminal.print(`${mark}  ${check.name.padEnd(17)}  ${check.detail}`);
        }
        if (terminal.json) terminal.printJson({ checks });
        return checks.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed;
      }),
    );
}

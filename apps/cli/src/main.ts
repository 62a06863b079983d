import { runCommandLine } from './command-line.ts';
import { Interruption } from './interruption.ts';

// A reader that has seen enough (`embedmill jobs | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runCommandLine(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  environment: process.env,
  interruption: new Interruption().listen(),
});
// A connection that is kept alive is no reason to stay; what was written to a pipe has to arrive first.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
process.exit();

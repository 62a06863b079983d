import { runCommandLine } from './command-line.ts';
import { EXIT } from './exit.ts';
import { Interruption } from './stack/interruption.ts';

const interruption = new Interruption().listen();
/** Something of what was to be printed is, as on a full disk. What runs goes on all the same. */
let isLost = false;
// A reader that has seen enough (`embedmill jobs | head`) is no failure; what was started is wound up all the same.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') interruption.receive('reader gone');
  else isLost = true;
});
process.stderr.on('error', () => {
  // Nobody is left to tell.
});

process.exitCode = await runCommandLine(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  environment: process.env,
  interruption,
});
// A connection that is kept alive is no reason to stay; what was written to a pipe has to arrive first.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
if (isLost && process.exitCode === EXIT.ok) process.exitCode = EXIT.failed;
process.exit();

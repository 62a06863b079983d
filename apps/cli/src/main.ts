import { runCommandLine } from './command-line.ts';
import { EXIT } from './exit.ts';
import { Interruption } from './stack/interruption.ts';

const interruption = new Interruption().listen();
/** Output was lost, for example on a full disk. Running work continues. */
let isLost = false;
// A reader that closes the pipe (`embedmill jobs | head`) is not a failure; everything is still shut down in order.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') interruption.receive('reader gone');
  else isLost = true;
});
process.stderr.on('error', () => {
  // Nobody is left to notify.
});

process.exitCode = await runCommandLine(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  environment: process.env,
  interruption,
});
// Kept-alive connections must not delay the exit, but data written to a pipe must arrive first.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
if (isLost && process.exitCode === EXIT.ok) process.exitCode = EXIT.failed;
process.exit();

import { isMainThread } from 'node:worker_threads';
import { serveParsing } from './parsing-process.ts';
import type { FromProcess, ToProcess } from './process-messages.ts';

/**
 * The parsing process, except that it exits on files with certain names: before receiving it, while parsing it, or
 * after answering.
 */
const endsWith = (name: string) => (message: ToProcess) => message.file.name === name && process.exit(3);

if (isMainThread) {
  process.on('message', endsWith('before.md'));
  const send = process.send?.bind(process);
  let name = '';
  process.on('message', ({ file }: ToProcess) => void (name = file.name));
  process.send = (message: FromProcess) => {
    const isSent = send?.(message) ?? false;
    if (message.kind !== 'began' && name === 'after.md') process.exit(3);
    return isSent;
  };
}
await serveParsing(import.meta.filename);
if (isMainThread) process.on('message', endsWith('with.md'));

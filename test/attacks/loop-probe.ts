/**
 * Loaded into a server that is attacked (`node --import`): how much processor time its main thread took between two turns
 * of its event loop. Unlike a clock this does not count the time in which other processes had the machine. What takes
 * longer than a few milliseconds goes to the file that LOOP_PROBE names, a line each: when, in milliseconds of
 * the epoch, and how long.
 */
import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const EVERY_MS = 5;
const LEAST_MS = 20;
const file = process.env['LOOP_PROBE'];

if (file !== undefined && isMainThread && /[/]api[/]/.test(process.argv[1] ?? '')) {
  let before = process.threadCpuUsage();
  setInterval(() => {
    const { user, system } = process.threadCpuUsage(before);
    const ms = (user + system) / 1000;
    if (ms >= LEAST_MS) appendFileSync(file, `${Date.now()} ${ms.toFixed(1)}\n`);
    before = process.threadCpuUsage();
  }, EVERY_MS).unref();
}

/**
 * Loaded into the attacked server (`node --import`). Measures the CPU time of the main thread between two turns of its
 * event loop; unlike wall time, it excludes time in which other processes had the CPU. Turns longer than a few
 * milliseconds are appended to the file named by LOOP_PROBE, one per line: the time, in milliseconds since the epoch,
 * and the duration.
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

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cpuSecondsOf, peakRssOf, rssOf } from './process-usage.ts';

const isLinux = existsSync('/proc/self/status');

it.skipIf(!isLinux)(
  'counts a process with its children, at their peaks (skipped without /proc)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-memory-'));
    const script = join(folder, 'grow.mjs');
    await writeFile(
      script,
      `import { fork } from 'node:child_process';
    let bytes = Buffer.alloc(100e6, 1); bytes = undefined;
    if (process.argv[2] !== 'child') {
      const child = fork(process.argv[1], ['child'], { execArgv: [] });
      child.once('message', () => process.send('grown'));
    } else process.send('grown');
    process.on('disconnect', () => process.exit());
    setInterval(() => undefined, 1000);`,
    );
    const child = fork(script, [], { execArgv: [] });
    try {
      await once(child, 'message');
      const peak = peakRssOf(child.pid!);
      expect(peak).toBeGreaterThan(200e6);
      expect(peak).toBeLessThan(500e6);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
      await rm(folder, { recursive: true });
    }
  },
);

it.skipIf(!isLinux)('counts the time of a process as Node does (skipped without /proc)', () => {
  const before = cpuSecondsOf(process.pid) ?? 0;
  const own = process.cpuUsage();
  for (let n = 0; n < 3e8; n += 1) Math.sqrt(n);
  const { user, system } = process.cpuUsage(own);
  expect(Math.abs((cpuSecondsOf(process.pid) ?? 0) - before - (user + system) / 1e6)).toBeLessThan(0.25);
  expect(rssOf(process.pid)).toBeLessThanOrEqual(peakRssOf(process.pid)!);
});

it('is undefined for a process that does not exist', () => {
  for (const of of [peakRssOf, rssOf, cpuSecondsOf]) expect(of(2 ** 22 + 1)).toBeUndefined();
});

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { peakRssOf } from './process-memory.ts';

const isLinux = existsSync('/proc/self/status');

it.skipIf(!isLinux)(
  'counts a process with its children, at their peaks (skipped where there is no /proc)',
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

it('is undefined for a process that is none', () => {
  expect(peakRssOf(2 ** 22 + 1)).toBeUndefined();
});

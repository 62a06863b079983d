import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { EmbedmillError } from '@embedmill/jobs';
import { createMetrics } from '@embedmill/metrics';
import { EngineGauges } from './engine-gauges.ts';

test('engines and their memory are counted while they live', async () => {
  const metrics = createMetrics('worker');
  const gauges = new EngineGauges(metrics);
  const valueOf = async (name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await metrics.render()).body)?.[1]);
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    const pid = child.pid!;
    expect(await valueOf('embedmill_engines')).toBe(0);
    gauges.note({ kind: 'ready', pid, seconds: 1, restarts: 0 });
    expect(await valueOf('embedmill_engines')).toBe(1);
    if (process.platform === 'linux')
      expect(await valueOf('embedmill_engine_resident_memory_bytes')).toBeGreaterThan(1e6);
    const error = new EmbedmillError('engine_crashed', 'it died');
    gauges.note({ kind: 'died', pid, error, inFlight: 0, pauseMs: 0 });
    expect(await valueOf('embedmill_engines')).toBe(0);
    gauges.note({ kind: 'ready', pid, seconds: 1, restarts: 1 });
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  // Closed, without an event.
  expect(await valueOf('embedmill_engines')).toBe(0);
});

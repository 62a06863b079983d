/**
 * For tests only: the real engine, with faults on demand. Sequences with a marker token make it crash or hang on
 * arrival; if ORT_FAULTY_ENGINE_WHILE is set, only as long as that file exists. With ORT_FAULTY_ENGINE_AREA set, larger
 * batches run out of memory.
 */
import { existsSync } from 'node:fs';
import { serveEngine } from './index.ts';
import type { FromEngine, ToEngine } from './engine/protocol.ts';

const CRASH = 30_001;
const HANG = 30_002;
const faults = process.env['ORT_FAULTY_ENGINE_WHILE'];
const area = Number(process.env['ORT_FAULTY_ENGINE_AREA'] ?? Infinity);

serveEngine();
const [real] = process.listeners('message') as ((message: ToEngine) => void)[];
process.removeAllListeners('message');
process.on('message', (message: ToEngine) => {
  if (message.kind === 'run') {
    const isFaulty = faults === undefined || existsSync(faults);
    if (isFaulty && message.ids.includes(CRASH)) process.kill(process.pid, 'SIGKILL');
    if (isFaulty && message.ids.includes(HANG)) for (;;);
    if (message.lengths.length * Math.max(...message.lengths) > area) {
      const failed: FromEngine = {
        kind: 'failed',
        id: message.id,
        code: 'out_of_memory',
        message: 'simulated',
      };
      process.send?.(failed);
      return;
    }
  }
  real?.(message);
});

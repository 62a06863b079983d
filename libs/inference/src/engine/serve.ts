/**
 * The engine process: loads one model, then answers batches until its parent is gone.
 *
 * Modes: waiting for `load` → serving (an endless take-run-answer loop) → gone. Invariants: one run at a time; every
 * `run` message gets one answer; urgent batches run before all others that have not begun; the process never ends by
 * itself while its parent lives. SIGINT and SIGTERM reach the whole process group if someone presses Ctrl-C or a
 * supervisor stops the service. Only the parent knows whether a batch must be finished first, so the engine ignores
 * them and ends when the IPC channel closes.
 *
 * Called by an entry file that does nothing else; started by `EngineProcess`.
 */
import { setImmediate } from 'node:timers/promises';
import { asEmbedmillError } from '@embedmill/jobs';
import { ImageSession } from './image-session.ts';
import { isOutOfMemory, messageOf } from './ort-error.ts';
import type { FromEngine, ToEngine } from './protocol.ts';
import { ModelSession } from './session.ts';

type Session = ModelSession | ImageSession;

type Load = Extract<ToEngine, { kind: 'load' }>;
type Run = Extract<ToEngine, { kind: 'run' }>;

export function serveEngine(): void {
  if (process.send === undefined) throw new Error('an engine is started by EngineProcess, not by hand');
  process.on('SIGINT', ignore);
  process.on('SIGTERM', ignore);
  process.on('disconnect', () => process.exit(0));

  const waiting: Run[] = [];
  let session: Session | undefined;
  let serving = false;

  const serve = async (ready: Session): Promise<void> => {
    if (serving) return;
    serving = true;
    for (let next = take(waiting); next !== undefined; next = take(waiting)) {
      await answer(await runBatch(ready, next));
      // `run` blocks the event loop: let in the messages that arrived meanwhile, which may include an urgent one.
      await setImmediate();
    }
    serving = false;
  };

  process.on('message', (message: ToEngine) => {
    switch (message.kind) {
      case 'load':
        void load(message).then((loaded) => {
          session = loaded;
          if (loaded !== undefined) void serve(loaded);
        });
        break;
      case 'run':
        waiting.push(message);
        if (session !== undefined) void serve(session);
        break;
    }
  });
}

/** Takes the first urgent batch, else the first. */
function take(waiting: Run[]): Run | undefined {
  const urgent = waiting.findIndex((run) => run.urgent);
  return waiting.splice(Math.max(urgent, 0), 1)[0];
}

async function load({ model, tuning }: Load): Promise<Session | undefined> {
  try {
    const session = await (model.kind === 'image'
      ? ImageSession.load(model, tuning)
      : ModelSession.load(model, tuning));
    const { dims, outputs } = session;
    await answer({ kind: 'ready', dims, outputs, peakRssBytes: peakRssBytes() });
    return session;
  } catch (thrown) {
    const { code, message } = asEmbedmillError(thrown);
    await answer({
      kind: 'unloadable',
      code: code === 'model_corrupt' ? code : 'model_unavailable',
      message,
    });
    return undefined;
  }
}

async function runBatch(session: Session, run: Run): Promise<FromEngine> {
  const start = performance.now();
  try {
    const outputs = await session.run(run);
    const seconds = (performance.now() - start) / 1000;
    return { kind: 'ran', id: run.id, ...outputs, seconds, peakRssBytes: peakRssBytes() };
  } catch (thrown) {
    const code = isOutOfMemory(thrown) ? 'out_of_memory' : 'engine_failed';
    return { kind: 'failed', id: run.id, code, message: messageOf(thrown) };
  }
}

/** Waits until the answer is written, because the next run would block the rest of it. */
function answer(message: FromEngine): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, () => resolve());
    else process.exit(0);
  });
}

function peakRssBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

function ignore(): void {}

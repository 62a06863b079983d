import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { reports, runFault } from './fault-case.ts';

/** Engines that hang, run out of memory, or crash on a document, every time. */
let cluster: Cluster | undefined;

afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

const PRELOAD = fileURLToPath(new URL('faulty-engine.preload.ts', import.meta.url));
/** Words whose last token makes FaultyEngine crash or hang. */
const CRASH = 'poison\u110e';
const HANG = 'poison\u110f';

async function faulty(env: Record<string, string> = {}): Promise<Cluster> {
  cluster = await Cluster.start({
    qdrantUrl: process.env['QDRANT_URL'],
    envOf: {
      worker: { NODE_OPTIONS: `--import=${PRELOAD}`, EMBEDMILL_WORKER_BATCH_SECONDS: '2', ...env },
    },
  });
  return cluster;
}

const poison = (text: string) =>
  [1, 2].map((n) => JSON.stringify({ id: `poison${n}`, text: `${text} ${n}` }));

test.each([
  ['crash', CRASH, 'engine_crashed', 'two documents that crash the engine each time'],
  [
    'hang',
    HANG,
    'engine_timeout',
    'two documents that hang the engine each time, with a limit of 2 s a batch',
  ],
] as const)('documents that %s the engine', async (_, text, code, fault) => {
  const running = await faulty();
  const job = await runFault(running, {
    fault,
    documents: 1500,
    more: { lines: poison(text), failed: 2 },
    inject: async () => {},
  });
  const culprits = (await reports(running, job.id)).filter(({ id }) => id?.startsWith('poison'));
  expect(culprits.map((one) => one.code)).toEqual([code, code]);
});

test('an engine that runs out of memory on larger batches', async () => {
  await runFault(await faulty({ ORT_FAULTY_ENGINE_AREA: '100' }), {
    fault: 'an engine that runs out of memory on batches of more than 100 tokens (the budget is 384)',
    documents: 1500,
    inject: async () => {},
  });
});

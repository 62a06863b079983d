import fc from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import type { VectorStore } from '@embedmill/vector-store';
import { startMill, type Mill } from './mill.ts';
import type { Version } from './model.ts';
import { Run, type Fate } from './run.ts';

/** How often the dispatcher dies, whatever it is doing. */
const KILL_MS = 15_000;

const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const sentence = fc.nat(30).map((n) => `Whale ${n} swam to island ${n * 13} with ${n % 5} others.`);
const value = fc.record({
  n: fc.nat(2),
  sentences: fc.array(sentence, { minLength: 1, maxLength: 9 }),
  title: fc.constantFrom(undefined, undefined, 'A title', 'Another title'),
  poison: fc.constantFrom(undefined, undefined, undefined, undefined, true),
});
const version = fc.tuple(ids, fc.option(value, { freq: 5, nil: undefined })).map(([id, given]): Version => {
  if (given === undefined) return { id, value: undefined };
  const { n, sentences, title, poison } = given;
  const metadata = { n, ...(poison !== undefined && { poison }) };
  const text = sentences.join(n === 0 ? '\n\n' : ' ');
  return { id, value: { id, text, ...(title !== undefined && { title }), metadata } };
});
const versions = fc.array(version, { minLength: 1, maxLength: 6 });
const fate = fc.record<Fate>({
  pause: fc.nat(40),
  deaths: fc.array(fc.record({ at: fc.nat(8), before: fc.boolean() }), { maxLength: 2 }),
});

type Command = fc.AsyncCommand<object, Run>;
const command = (name: string, does: (run: Run) => Promise<void>): Command => ({
  check: () => true,
  run: (_, run) => does(run),
  toString: () => name,
});
const said = ({ id, value: its }: Version): string =>
  `${id}: ${its === undefined ? 'deleted' : JSON.stringify(its)}`;
const submission = fc
  .tuple(versions, fc.constantFrom(false, false, false, false, true))
  .map(([some, cancel]) =>
    command(`submit [${some.map(said).join(', ')}]${cancel ? ', and cancel it' : ''}`, (run) =>
      run.submit(some, cancel),
    ),
  );
const commands = fc.commands(
  [
    submission,
    submission,
    submission,
    versions.map((some) => command(`sync [${some.map(said).join(', ')}]`, (run) => run.sync(some))),
    ids.map((id) => command(`delete ${id}`, (run) => run.delete(id))),
    fc.nat(2).map((n) => command(`delete where n is ${n}`, (run) => run.deleteWhere(n))),
    fc.nat(4).map((back) => command(`retry -${back}`, (run) => run.retry(back))),
    fc.constant(command('copy', (run) => run.copy())),
    fc.constant(command('exchange', (run) => run.exchange())),
    fc.constant(command('move the alias', (run) => run.move())),
  ],
  { maxCommands: 10, size: 'max' },
);

/**
 * Documents are submitted, deleted, retried, cancelled, copied and moved; workers take shards in any order, and workers
 * and dispatchers die anywhere. A collection must hold what it would hold if everything had run one after another.
 *
 * @param open opens the store; undefined means the embedded one
 * @param atOnce how many runs are in progress at the same time, because most of each is waiting
 */
export function testModel(
  open: () => Promise<VectorStore | undefined>,
  { runs: count, atOnce }: { runs: number; atOnce: number },
): void {
  let mill: Mill;
  const runs = new Map<string, Run>();
  let begun = 0;
  let killing: NodeJS.Timeout | undefined;

  beforeAll(async () => {
    const store = await open();
    mill = await startMill(store === undefined ? {} : { store });
    mill.walkBy((shard, walk) => {
      const run = runs.get(shard.collection.name.split('-')[0] ?? '');
      return run === undefined ? walk() : run.walk(shard, walk);
    });
    // Its jobs continue some two seconds later.
    killing = setInterval(() => void mill.killDispatcher(), KILL_MS);
  });
  afterAll(async () => {
    clearInterval(killing);
    await mill?.close();
  });

  test('the store holds what was accepted last', async () => {
    const model = fc.asyncProperty(
      fc.array(fate, { minLength: 1, maxLength: 8 }),
      commands,
      async (fates, given) => {
        const id = `run${(begun += 1)}`;
        const run = await Run.begin(mill, id, fates);
        runs.set(id, run);
        try {
          await fc.asyncModelRun(() => ({ model: {}, real: run }), given);
          await run.end();
        } finally {
          runs.delete(id);
        }
      },
    );
    const seed = fc.readConfigureGlobal().seed ?? Date.now() % 2 ** 31;
    const share = Math.ceil(count / atOnce);
    const all = Array.from({ length: Math.min(atOnce, count) }, (_, n) =>
      fc.assert(model, { numRuns: share, seed: seed + n, endOnFailure: count < 1000 }),
    );
    await Promise.all(all);
  });
}

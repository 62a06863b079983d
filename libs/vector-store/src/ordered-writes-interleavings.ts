import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { documentOf, keyOf } from './conformance-documents.ts';
import {
  confirmInOrder,
  decidedBy,
  deleteInOrder,
  replaceInOrder,
  type ConditionalPoints,
  type Head,
} from './ordered-writes.ts';

/** One point in a model of a store: a chunk of the document being written. */
export interface ShownPoint {
  chunk: number;
  fingerprint: string | undefined;
}

/** A model of a store that holds one document. */
export interface OrderModel {
  /** The writer's view of the model, which waits before each step until it may continue. */
  seenBy(step: () => Promise<void>): ConditionalPoints;
  readonly shown: ShownPoint[];
  readonly head: Head | undefined;
}

/** The collection, and the document's key. */
export const NAME = 'c' as Parameters<typeof documentOf>[0];
export const KEY = keyOf('a');

/** A writer's action under its sequence: stores a text with this many chunks, or deletes. */
type Task = { sequence: number; text: string; chunks: number } | { sequence: number; deletes: true };

class Killed extends Error {}

/** Acts like a worker: reads, then writes, confirms, deletes, or finds itself overtaken and removes its remains. */
async function run(task: Task, points: ConditionalPoints): Promise<void> {
  const { sequence } = task;
  if ('deletes' in task) return void (await deleteInOrder(points, [KEY], sequence));
  const fingerprint = `${task.text} ${task.chunks}`;
  const [seen] = await points.look([KEY]);
  const head = seen?.head;
  const isWhole = head !== undefined && head.chunkCount > 0;
  if (
    isWhole &&
    head.fingerprint === fingerprint &&
    (head.sequence === sequence || decidedBy(head) <= sequence)
  ) {
    const lost = await confirmInOrder(points, [{ ...KEY, sequence: head.sequence }], sequence);
    if (lost.length === 0) return;
  } else if (head !== undefined && decidedBy(head) > sequence) {
    return points.remove([KEY], 1, sequence, 'exactly');
  }
  await replaceInOrder(points, [documentOf(NAME, 'a', { ...task, fingerprint })]);
}

/**
 * Runs tasks on one model, step by step in the order given by `schedule`: each number selects one of the tasks with a
 * pending step, modulo their number; a negative number kills that task before its step, and restarts it.
 */
async function interleave(
  model: OrderModel,
  tasks: readonly Task[],
  schedule: readonly number[],
): Promise<OrderModel> {
  const waiting = new Map<number, { go(): void; kill(): void }>();
  let running = 0;
  let settled: () => void = () => undefined;
  const start = (n: number, task: Task): void => {
    running += 1;
    const step = () =>
      new Promise<void>((go, reject) => {
        waiting.set(n, { go, kill: () => reject(new Killed()) });
        settled();
      });
    run(task, model.seenBy(step))
      .catch((thrown: unknown) => {
        if (!(thrown instanceof Killed)) throw thrown;
        start(n, task);
      })
      .finally(() => {
        running -= 1;
        settled();
      });
  };
  for (const [n, task] of tasks.entries()) start(n, task);
  for (let at = 0; running > 0; at += 1) {
    // Then each running task waits for its next step.
    while (waiting.size < running) await new Promise<void>((resolve) => (settled = resolve));
    const order = [...waiting.keys()].sort((a, b) => a - b);
    const pick = schedule[at] ?? 0;
    const chosen = order[Math.abs(pick) % order.length];
    if (chosen === undefined) break;
    const one = waiting.get(chosen);
    waiting.delete(chosen);
    if (pick < 0) one?.kill();
    else one?.go();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return model;
}

function expectSerial(model: OrderModel, tasks: readonly Task[]): void {
  const last = tasks.reduce((a, b) => (b.sequence > a.sequence ? b : a));
  const { shown } = model;
  if ('deletes' in last) {
    expect(shown).toEqual([]);
    return;
  }
  const fingerprint = `${last.text} ${last.chunks}`;
  expect(shown.map(({ chunk }) => chunk).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: last.chunks }, (_, n) => n),
  );
  expect(new Set(shown.map((point) => point.fingerprint))).toEqual(new Set([fingerprint]));
  expect(model.head && decidedBy(model.head)).toBe(last.sequence);
}

/**
 * Tests all interleavings of writers of one document, step by step on a model of a store. Each writer may be killed
 * before any of its steps and run again, like its shard. Afterwards, only the document with the greatest sequence must
 * exist.
 */
export function orderInterleavings(title: string, modelOf: () => OrderModel, deepest = 14): void {
  describe(title, () => {
    const task = (sequence: number): fc.Arbitrary<Task> =>
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({
            sequence: fc.constant(sequence),
            text: fc.constantFrom('x', 'y'),
            chunks: fc.integer({ min: 1, max: 4 }),
          }),
        },
        { weight: 1, arbitrary: fc.constant({ sequence, deletes: true as const }) },
      );
    // Half of the steps go to a random task; some kill a writer.
    const schedule = fc.array(
      fc.oneof(
        { weight: 9, arbitrary: fc.nat(5) },
        { weight: 1, arbitrary: fc.integer({ min: -6, max: -1 }) },
      ),
      { maxLength: 60 },
    );

    test('leave what the greatest sequence wrote, and nothing else, however their steps fall and whoever is ended', async () => {
      const tasks = fc
        .integer({ min: 2, max: 4 })
        .chain((n) => fc.tuple(...Array.from({ length: n }, (_, at) => task(at + 1))));
      await fc.assert(
        fc.asyncProperty(tasks, schedule, async (all, order) => {
          expectSerial(await interleave(modelOf(), all, order), all);
        }),
        { numRuns: 3000 },
      );
    }, 120_000);

    test.each([
      ['a long one and a short one', [4, 1]],
      ['a short one and a long one', [1, 4]],
      ['two long ones', [3, 2]],
    ])(
      'in every interleaving of %s',
      async (_, [first = 1, second = 1]) => {
        const tasks: Task[] = [
          { sequence: 1, text: 'x', chunks: first },
          { sequence: 2, text: 'y', chunks: second },
        ];
        let schedules = 0;
        for (const order of choices(deepest)) {
          schedules += 1;
          expectSerial(await interleave(modelOf(), tasks, order), tasks);
        }
        expect(schedules).toBe(2 ** deepest);
      },
      120_000,
    );
  });
}

/** All sequences of two choices with this length. */
function* choices(length: number): Generator<number[]> {
  for (let bits = 0; bits < 2 ** length; bits += 1) yield Array.from({ length }, (_, at) => (bits >> at) & 1);
}

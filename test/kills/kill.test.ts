import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Collection, Job } from '@embedmill/jobs';
import { childrenOf, Embedmill, uniqueName } from '../embedmill.ts';

/**
 * kill -9 of each process in turn, during a job: the job ends with every document stored once and with exact counts,
 * without any intervention.
 */
const DOCUMENTS = 2000;
let mill: Embedmill;

beforeAll(async () => {
  mill = await Embedmill.up();
});
afterAll(() => mill.stop());

const words = 'river bank money stone cloud engine table light green seven under walk'.split(' ');
const sentence = (n: number) =>
  Array.from({ length: 10 + ((n * 7) % 30) }, (_, at) => words[(n + at * at) % words.length]).join(' ');

const line = (_: unknown, n: number) => `${JSON.stringify({ id: `d${n}`, text: `${n} ${sentence(n)}` })}\n`;
const documents = () => Array.from({ length: DOCUMENTS }, line).join('');
const EXACT = {
  state: 'completed',
  documents: DOCUMENTS,
  done: DOCUMENTS,
  stored: DOCUMENTS,
  chunks: DOCUMENTS,
  failed: 0,
  skipped: 0,
  duplicates: 0,
};

/** The usage of the collection, from all kept records, is exactly the jobs' tokens, whatever was killed. */
async function expectUsage(name: string, { done, tokens }: Job): Promise<void> {
  const { rows } = await mill.json<{ rows: { collection: string; documents: number; tokens: number }[] }>(
    '/api/v1/usage?groupBy=collection',
  );
  expect(tokens).toBeGreaterThan(0);
  expect(rows.find(({ collection }) => collection === name)).toMatchObject({ documents: done, tokens });
}

async function points(name: string): Promise<number> {
  return (await mill.json<Collection & { points: number }>(`/api/v1/collections/${name}`)).points;
}

test.each(['worker', 'engine', 'api', 'store'] as const)(
  'kill -9 of the %s loses and duplicates nothing',
  async (victim) => {
    const name = uniqueName(`kill-${victim}`);
    await mill.json('/api/v1/collections', { name });
    try {
      const job = await mill.submit(name, documents());
      await mill.underWay(job);
      const { processes } = await mill.state();
      const pid = victim === 'engine' ? (await childrenOf(processes.worker))[0] : processes[victim];
      // With an external Qdrant, there is no store process to kill.
      if (typeof pid === 'number') process.kill(pid, 'SIGKILL');
      const ended = await mill.finished(job);
      expect(ended).toMatchObject(EXACT);
      await expectUsage(name, ended);
      expect(await points(name)).toBe(DOCUMENTS);
    } finally {
      await mill.call(`/api/v1/collections/${name}`, { method: 'DELETE' });
    }
  },
);

test('kill -9 of everything at once loses and duplicates nothing after a restart', async () => {
  const name = uniqueName('kill-all');
  await mill.json('/api/v1/collections', { name });
  try {
    const job = await mill.submit(name, documents());
    await mill.underWay(job);
    await mill.killAll();
    mill = await Embedmill.up({ data: mill.data });
    const ended = await mill.finished(job);
    expect(ended).toMatchObject(EXACT);
    await expectUsage(name, ended);
    expect(await points(name)).toBe(DOCUMENTS);
  } finally {
    await mill.call(`/api/v1/collections/${name}`, { method: 'DELETE' });
  }
});

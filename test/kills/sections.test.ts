import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Collection, Job } from '@embedmill/jobs';
import { Embedmill, uniqueName } from '../embedmill.ts';

/**
 * kill -9 while a source is scanned section by section and its first shards run: the job ends with every line counted once,
 * and of each id the last line is stored.
 */
const LINES = 6000;
const IDS = 5000;
let mill: Embedmill;

/** About 700 kB: eight sections. */
const env = { EMBEDMILL_API_SECTION_BYTES: '8192' };
beforeAll(async () => {
  mill = await Embedmill.up({ env });
});
afterAll(() => mill.stop());

const words = 'river bank money stone cloud engine table light green seven under walk'.split(' ');
const sentence = (n: number) =>
  Array.from({ length: 8 + ((n * 7) % 12) }, (_, at) => words[(n + at * at) % words.length]).join(' ');
/** The last thousand lines have ids of lines all over the source. */
const idOf = (n: number) => (n < IDS ? n : ((n - IDS) * 7) % IDS);
const line = (_: unknown, n: number) =>
  `${JSON.stringify({ id: `d${idOf(n)}`, text: `${n} ${sentence(n)}` })}\n`;
const documents = () => Array.from({ length: LINES }, line).join('');

async function expectLastLines(name: string): Promise<void> {
  const { points } = await mill.json<Collection & { points: number }>(`/api/v1/collections/${name}`);
  expect(points).toBe(IDS);
  for (let n = IDS; n < LINES; n += 97) {
    const { text } = await mill.json<{ text: string }>(`/api/v1/collections/${name}/documents/d${idOf(n)}`);
    expect(text).toBe(`${n} ${sentence(n)}`);
  }
}

function expectCounted(job: Job): void {
  expect(job).toMatchObject({ state: 'completed', scanned: true, documents: LINES, done: LINES, failed: 0 });
  expect(job.stored + job.skipped + job.duplicates + job.superseded).toBe(LINES);
  expect(job.stored + job.skipped).toBeGreaterThanOrEqual(IDS);
  expect(job.shardsDone).toBe(job.shards);
}

/** The first documents are counted, the job has not ended. */
async function scanning(job: Job): Promise<void> {
  await mill.until('the first section is scanned', async () => {
    const { documents: counted } = await mill.json<Job>(`/api/v1/jobs/${job.id}`);
    return counted > 0;
  });
}

test.each(['api', 'worker'] as const)('kill -9 of the %s while a source is scanned', async (victim) => {
  const name = uniqueName(`sections-${victim}`);
  await mill.json('/api/v1/collections', { name, profile: { model: 'static-minilm-256' } });
  const job = await mill.submit(name, documents());
  await scanning(job);
  const { processes } = await mill.state();
  process.kill(processes[victim], 'SIGKILL');
  expectCounted(await mill.finished(job));
  await expectLastLines(name);
});

test('kill -9 of everything while a source is scanned, and a new start', async () => {
  const name = uniqueName('sections-all');
  await mill.json('/api/v1/collections', { name, profile: { model: 'static-minilm-256' } });
  const job = await mill.submit(name, documents());
  await scanning(job);
  await mill.killAll();
  mill = await Embedmill.up({ data: mill.data, env });
  expectCounted(await mill.finished(job));
  await expectLastLines(name);
});

import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Collection, Job } from '@embedmill/jobs';
import { childrenOf, Embedmill, uniqueName } from './embedmill.ts';

/**
 * kill -9 in mid-job, of each process in turn: the job ends with every document stored once, with exact counts,
 * and nobody does anything.
 */
const DOCUMENTS = 3000;
let mill: Embedmill;

beforeAll(async () => {
  mill = await Embedmill.up();
});
afterAll(() => mill.stop());

const words = 'river bank money stone cloud engine table light green seven under walk'.split(' ');
const sentence = () =>
  Array.from({ length: randomInt(10, 40) }, () => words[randomInt(words.length)]).join(' ');

test.each(['worker', 'engine', 'api', 'store'] as const)(
  'kill -9 of the %s loses and doubles nothing',
  async (victim) => {
    const { processes } = await mill.state();
    const external = process.env['QDRANT_URL'] !== undefined;
    const name = uniqueName(`kill-${victim}`);
    await mill.json('/api/v1/collections', { name });
    try {
      const lines = Array.from({ length: DOCUMENTS }, (_, n) =>
        JSON.stringify({ id: `d${n}`, text: `${n} ${sentence()}` }),
      );
      const job = await mill.submit(name, `${lines.join('\n')}\n`);
      await mill.until('the job is under way', async () => {
        const { done, state } = await mill.json<Job>(`/api/v1/jobs/${job.id}`);
        if (state === 'completed') throw new Error('the job was over before anything could be killed');
        return done > 0;
      });
      if (victim === 'store' && external) return;
      const pid = victim === 'engine' ? (await childrenOf(processes.worker))[0] : processes[victim];
      process.kill(pid!, 'SIGKILL');

      const ended = await mill.finished(job);
      expect(ended).toMatchObject({
        state: 'completed',
        documents: DOCUMENTS,
        done: DOCUMENTS,
        stored: DOCUMENTS,
        failed: 0,
        skipped: 0,
        duplicates: 0,
      });
      const { points } = await mill.json<Collection & { points: number }>(`/api/v1/collections/${name}`);
      expect(points).toBe(DOCUMENTS);
      expect(ended.chunks).toBe(DOCUMENTS);
    } finally {
      await mill.call(`/api/v1/collections/${name}`, { method: 'DELETE' });
    }
  },
);

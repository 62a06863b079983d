/**
 * `npm run bench -- beside`: jobs of one document, one after another, beside a job of very many. Prints for each small
 * job the seconds from its submission to its end, and how many shards of the large job ended meanwhile, which does not
 * depend on other load. Exits with 1 if the median exceeds two seconds.
 */
import { parseArgs } from 'node:util';
import { setTimeout } from 'node:timers/promises';
import type { Job } from '@embedmill/jobs';
import { Embedmill, ndjson } from './embedmill.ts';

const { values } = parseArgs({
  options: { documents: { type: 'string', default: '100000' }, jobs: { type: 'string', default: '20' } },
});
const WORDS = 'river bread bridge song winter spring stone paper garden light market letter'.split(' ');
const textOf = (n: number): string =>
  Array.from({ length: 60 }, (_, at) => WORDS[(n * 7 + at * (1 + (n % 5))) % WORDS.length]).join(' ');

const mill = await Embedmill.up();
try {
  const name = await mill.collection('beside');
  await mill.finished(await mill.submit(name, ndjson([{ id: 'first', text: 'the first' }])));
  const documents = Array.from({ length: Number(values.documents) }, (_, n) => ({
    id: `d${n}`,
    text: textOf(n),
  }));
  const large = await mill.submit(name, ndjson(documents));
  await mill.until('the large job is under way', async () => (await jobOf(large.id)).shardsDone > 2);
  const seconds: number[] = [];
  const shards: number[] = [];
  for (let n = 0; n < Number(values.jobs); n += 1) {
    const before = await jobOf(large.id);
    if (before.state !== 'running') break;
    const began = performance.now();
    const { id } = await mill.submit(name, ndjson([{ id: `one-${n}`, text: `one document, number ${n}` }]));
    while ((await jobOf(id)).state !== 'completed') await setTimeout(20);
    seconds.push((performance.now() - began) / 1000);
    shards.push((await jobOf(large.id)).shardsDone - before.shardsDone);
    await setTimeout(200);
  }
  await mill.call(`/api/v1/jobs/${large.id}/cancel`, { method: 'POST' });
  process.stdout.write(`${seconds.length} jobs of one document beside one of ${values.documents}\n`);
  process.stdout.write(`seconds: ${shown(seconds, 2)}\n`);
  process.stdout.write(`shards of the large job that ended meanwhile: ${shown(shards, 0)}\n`);
  if (at(seconds, 0.5) > 2) process.exitCode = 1;
} finally {
  await mill.stop();
}

function jobOf(id: string): Promise<Job> {
  return mill.json<Job>(`/api/v1/jobs/${id}`);
}

function at(all: readonly number[], part: number): number {
  const sorted = all.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

function shown(all: readonly number[], digits: number): string {
  return `median ${at(all, 0.5).toFixed(digits)}, most ${at(all, 1).toFixed(digits)}`;
}

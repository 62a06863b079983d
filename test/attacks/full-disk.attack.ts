import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { Embedmill, ndjson } from '../embedmill.ts';
import { SmallDisk } from '../faults/small-disk.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const texts = (from: number, count: number) =>
  ndjson(Array.from({ length: count }, (_, n) => ({ id: `d${from + n}`, text: `text number ${from + n}` })));

test('a full disk crashes nothing: work is refused or waits, and in the end all of it is done', async ({
  skip,
}) => {
  const disk = await SmallDisk.mount(320);
  if (disk === undefined) return skip('mounting is not allowed here');
  closers.push(() => disk.unmount());
  const mill = await Embedmill.up({ data: join(disk.folder, 'data') });
  closers.push(() => mill.stop());
  const { pid } = await mill.state();
  const name = await mill.collection('disk');
  await mill.finished(await mill.submit(name, texts(0, 200)));
  const running = await mill.submit(name, texts(200, 4000));
  await mill.underWay(running).catch(() => undefined);

  await disk.fill();
  const refused = await mill.call(`/api/v1/collections/${name}/jobs`, {
    method: 'POST',
    body: texts(9000, 2000),
    headers: { 'content-type': 'application/x-ndjson' },
  });
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(((await refused.json()) as { detail: string }).detail).toMatch(/disk .* is full; free space|queue/);
  // Searches need no disk space.
  expect((await mill.call('/healthz')).status).toBe(200);
  // Long enough for every writer to have met the full disk, and to have been restarted.
  await setTimeout(15_000);
  process.kill(pid, 0);
  expect((await mill.call('/healthz')).status).toBe(200);

  await disk.free();
  const done: Job = await mill.finished(running, 150);
  expect(done).toMatchObject({ state: 'completed', failed: 0 });
  await mill.finished(await mill.submit(name, texts(9000, 10)), 60);
  const { points } = await mill.json<{ points: number }>(`/api/v1/collections/${name}`);
  expect(points).toBe(4210);
}, 300_000);

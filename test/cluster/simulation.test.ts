import { expect, test } from 'vitest';
import { CLUSTERS, measureBoth, SHARDS } from './real-and-simulated.ts';

/** How near it comes to a real cluster is measured by `npm run bench -- simulation`; a busy machine only makes it slower. */
test.each(CLUSTERS)('with %s, a real job is never faster than simulated', async (_, cluster) => {
  const { real, simulated, job, mostInHand } = await measureBoth(cluster);
  expect(job).toMatchObject({ state: 'completed', shardsDone: SHARDS });
  expect(real / simulated, `${real} s, simulated ${simulated} s`).toBeGreaterThan(0.9);
  expect(mostInHand).toBeLessThanOrEqual(cluster.workers * cluster.shardsInHand);
  expect(mostInHand).toBeLessThanOrEqual(cluster.mostShards);
});

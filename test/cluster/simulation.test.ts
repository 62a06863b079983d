import { expect, test } from 'vitest';
import { CLUSTERS, measureBoth, SHARDS } from './real-and-simulated.ts';

/**
 * `npm run bench -- simulation` measures how close the simulation is to a real cluster; a busy machine only makes the
 * real one slower.
 */
test.each(CLUSTERS)('with %s, a real job is never faster than simulated', async (_, cluster) => {
  const { real, simulated, job, mostInHand } = await measureBoth(cluster);
  expect(job).toMatchObject({ state: 'completed', shardsDone: SHARDS });
  expect(real / simulated, `${real} s, simulated ${simulated} s`).toBeGreaterThan(0.9);
  expect(mostInHand).toBeLessThanOrEqual(cluster.workers * cluster.shardsInHand);
  expect(mostInHand).toBeLessThanOrEqual(cluster.mostShards);
});

/** How close the simulation is to the real dispatcher and queue, on an otherwise idle machine. */
import { CLUSTERS, measureBoth } from './cluster/real-and-simulated.ts';

/** Real time relative to simulated time. */
const TOLERATED = { least: 0.9, most: 1.3 };

for (const [about, cluster] of CLUSTERS) {
  const { real, simulated } = await measureBoth(cluster);
  const ratio = real / simulated;
  const isNear = ratio > TOLERATED.least && ratio < TOLERATED.most;
  if (!isNear) process.exitCode = 1;
  const figures = `${real.toFixed(2)} s, simulated ${simulated.toFixed(2)} s: ${ratio.toFixed(2)}`;
  process.stdout.write(
    `${about}: ${figures}${isNear ? '' : `, which is not from ${TOLERATED.least} to ${TOLERATED.most}`}\n`,
  );
}

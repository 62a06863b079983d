import { projectTests } from '../suite/project.ts';

// Collections that live through changes, deletions, copies and kills: takes minutes, not part of `npm test`. The
// model-based test makes CI's share of runs, or as many as MODEL_RUNS says.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.test.ts'],
  fileParallelism: false,
  testTimeout: 24 * 3600_000,
  hookTimeout: 360_000,
});

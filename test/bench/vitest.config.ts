import { projectTests } from '../suite/project.ts';

// What the benchmark and calibrations print and keep: they measure for minutes, so not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.test.ts'],
  fileParallelism: false,
  testTimeout: 360_000,
  hookTimeout: 360_000,
});

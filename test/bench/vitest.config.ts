import { projectTests } from '../suite/project.ts';

// Tests of the output of benchmarks and calibrations, which measure for minutes: not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.test.ts'],
  fileParallelism: false,
  testTimeout: 360_000,
  hookTimeout: 360_000,
});
